"""The pack: one region's prepared crops in a memory-mappable Arrow file, or its rows in one and its crops beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.data.pack.crops.beside import Find, crops_of, find_beside, found_in_bucket
from skin_tune.data.pack.file import PackFile
from skin_tune.data.pack.images import Images
from skin_tune.data.pack.layout.claims import check_regular, read_pack_id
from skin_tune.data.pack.layout.columns import (
    check_labels,
    check_places,
    check_schema,
    check_split,
    checked_counts,
    encoded,
    rows_of_pack,
)
from skin_tune.data.pack.layout.fields import CropsFileError, told_as_no_pack
from skin_tune.data.pack.layout.info import PackInfo, content_id, image_digest, info_of
from skin_tune.data.pack.node_cache import node_copy
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.errors import PackChangedError, PackError
from skin_tune.storage.files import Location, is_local, location
from skin_tune.storage.photo_columns import ABOUT


@dataclass(frozen=True)
class Pack:
    """An open pack. Its images are mapped, not read."""

    path: Location
    info: PackInfo
    images: Images
    """uint8 [N, size, size, 3], read-only: ``images[rows]`` is a numpy array."""
    labels: npt.NDArray[np.int64]
    subjects: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    about: Mapping[str, npt.NDArray[np.object_]]
    """Each column of ABOUT [N]; None where the source does not say."""
    file: PackFile = field(repr=False, compare=False)
    """The mapped files: local copies where `path` is in a bucket."""

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickled pack is its path and id, not its gigabytes of pixels: Tune pickles what a search refers to."""
        return open_pack, (self.path, self.info.pack_id)

    @property
    def classes(self) -> list[str]:
        return self.info.classes

    def indices(self, *splits: str) -> npt.NDArray[np.int64]:
        """Rows of the splits, ascending."""
        return np.flatnonzero(np.isin(self.split, splits))

    def class_counts(self, *splits: str) -> npt.NDArray[np.int64]:
        """Images per class [K] in the splits."""
        return np.bincount(self.labels[self.indices(*splits)], minlength=len(self.classes))

    def verify(self, run: str | None = None) -> None:
        """Begin to hash the content in the background; `check` waits for it. Of a `run` once on each machine.

        A copy of a bucket's pack has been hashed when it was fetched.
        """
        if is_local(self.path):
            self.file.verify(self.info.pack_id, lambda: content_of(self), run)

    def check(self) -> None:
        """Raise PackChangedError where this is no longer the pack that was opened.

        It was written to, another one lies in its place, or its content is not what it claims to be.
        """
        self.file.check()
        if is_local(self.path) and self.path.exists() and not self.file.is_still_there:
            _check_is(self.path, self.info.pack_id)
        self.file.check_content()


def open_pack(path: str | Location, pack_id: str | None = None) -> Pack:
    """Map a pack; one in a bucket is fetched to this machine first, unless it has been.

    With `pack_id` no other is taken, and a bucket is not even asked where that one is here. Raises PackError where the
    file is missing, damaged, no pack, empty, another one, or of another format version, and where the file of crops
    that it shares with other packs is not beside it.

    >>> from skin_tune import open_pack
    >>> pack = open_pack("packs/lip_dryness-32.arrow")
    >>> pack.images.dtype, pack.images.shape[1:]
    (dtype('uint8'), (32, 32, 3))
    >>> set(pack.subjects[pack.split == "train"]) & set(pack.subjects[pack.split == "test"])
    set()
    """
    path = location(path)
    if is_local(path):
        check_regular(path)
        try:
            pack = _mapped(path, str(path), partial(find_beside, path))
        except OSError as error:
            raise PackError(f"pack {str(path)!r} cannot be read: {error.strerror}") from None
        except CropsFileError as error:
            if pack_id is not None:
                raise PackChangedError(f"the pack has changed: {error}") from None
            raise
        except PackError:
            if pack_id is not None:
                raise _another(path, "no pack", pack_id) from None
            raise
    else:
        try:
            wanted = pack_id or read_pack_id(path)
            with (
                found_in_bucket(path.parent) as find,
                node_copy(path, wanted, lambda file: _content_of(file, str(path), find)) as copy,
            ):
                pack = replace(_mapped(copy, str(path), find), path=path)
        except FileNotFoundError:
            raise PackError(f"pack {str(path)!r} does not exist; make one with skin-tune prepare") from None
        except OSError as error:
            raise PackError(f"pack {str(path)!r} cannot be fetched: {error.strerror or error}") from None
    if pack_id is not None and pack.info.pack_id != pack_id:
        raise _another(path, pack.info.pack_id, pack_id)
    return pack


def _check_is(path: Location, pack_id: str) -> None:
    """Raise PackChangedError where the file at `path` is another pack by now, or none."""
    try:
        found = read_pack_id(path)
    except (PackError, OSError):
        found = "no pack"
    if found != pack_id:
        raise _another(path, found, pack_id)


def _another(path: Location, found: str, expected: str) -> PackChangedError:
    return PackChangedError(f"the pack has changed: {str(path)!r} is {found}, and {expected} was expected")


def _content_of(file: Path, name: str, find: Find) -> str:
    try:
        return content_of(_mapped(file, name, find))
    except CropsFileError:
        raise
    except PackError:
        return "unreadable"


def content_of(pack: Pack) -> str:
    """The `pack_id` that a pack should claim. Raises PackChangedError where it is written to meanwhile."""

    def digests() -> Iterator[bytes]:
        for image in pack.images:
            pack.file.check()
            yield image_digest(image.tobytes())  # copied at once: hashing takes ten times as long, and may meet a cut

    split = (SPLITS.index(part) for part in pack.split.tolist())
    info = pack.info
    return content_id(
        info.region,
        info.classes,
        info.size,
        digests(),
        pack.labels.tolist(),
        split,
        pack.subjects.tolist(),
        info.ordinal,
    )


def _mapped(file: Path, name: str, find: Find) -> Pack:
    """The pack in a local file, which `name` stands for in messages; `find` gives the file of its crops."""
    with told_as_no_pack(name):
        opened = PackFile(file, name)
        source = pa.memory_map(str(file))
        reader = pa.ipc.open_file(source)
        info = info_of(reader.schema)
        check_schema(reader.schema, info, ABOUT)
        batch = rows_of_pack(reader, source, info, ABOUT)
        labels = batch.column("label").to_numpy().astype(np.int64)
        check_labels(labels, info.classes)
        (words, split), (names, subjects) = encoded(batch.column("split")), encoded(batch.column("subject"))
        check_split(words.tolist(), split, names.tolist(), subjects)
        counts = checked_counts(info.counts, words.tolist(), split, labels, info.classes)
        images = _images(batch, info, opened, find)
        if replaced := opened.replaced:
            raise PackChangedError(f"the pack has changed: another one was put at {replaced!r} while it was opened")
        opened.check()
        return Pack(
            path=file,
            info=replace(info, counts=counts),
            images=images,
            labels=labels,
            subjects=names[subjects],
            sources=np.asarray(batch.column("source").to_pylist(), dtype=np.str_),
            split=words[split],
            about={name: _described(batch, name) for name in ABOUT},
            file=opened,
        )


def _images(batch: Any, info: PackInfo, opened: PackFile, find: Find) -> Images:
    if info.crops is None:
        return Images(batch.column("image").to_numpy_ndarray())
    crops = crops_of(info, info.crops, opened, find)
    places = batch.column("crop").to_numpy().astype(np.int64)
    check_places(places, len(crops))
    return Images(crops, places)


def _described(batch: Any, column: str) -> npt.NDArray[np.object_]:
    if column not in batch.schema.names:  # an older version
        return np.full(batch.num_rows, None, dtype=object)
    return np.array([None if value == "" else value for value in batch.column(column).to_pylist()], dtype=object)
