"""The pack: one region's prepared crops in one memory-mappable Arrow file."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.data.pack.columns import check_labels, check_schema, check_split, checked_counts, encoded, only_batch
from skin_tune.data.pack.fields import told_as_no_pack
from skin_tune.data.pack.file import PackFile
from skin_tune.data.pack.info import PackInfo, content_id, image_digest, info_of
from skin_tune.data.pack.node_cache import node_copy
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.errors import PackChangedError, PackError
from skin_tune.storage.files import Location, is_local, is_regular, location
from skin_tune.storage.photo_columns import ABOUT


@dataclass(frozen=True)
class Pack:
    """An open pack. `images` is a read-only view [N, size, size, 3] uint8 of the mapped file: nothing is copied."""

    path: Location
    info: PackInfo
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    subjects: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    about: Mapping[str, npt.NDArray[np.object_]]
    """Each column of ABOUT [N]; None where the source does not say."""
    file: PackFile = field(repr=False, compare=False)
    """The mapped file: a local copy where `path` is in a bucket."""

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
    file is missing, damaged, no pack, empty, another one, or of another format version.

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
            pack = _mapped(path, str(path))
        except OSError as error:
            raise PackError(f"pack {str(path)!r} cannot be read: {error.strerror}") from None
        except PackError:
            if pack_id is not None:
                raise _another(path, "no pack", pack_id) from None
            raise
    else:
        try:
            with node_copy(path, pack_id or read_pack_id(path), _content_of) as copy:
                pack = replace(_mapped(copy, str(path)), path=path)
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


def read_pack_id(path: Location) -> str:
    """The `pack_id` that a file claims to have: a few kilobytes are read. Raises PackError where it is no pack."""
    if is_local(path):
        schema = _schema_of(path)
    else:
        from skin_tune.storage.bucket import steady  # a third of a second that only buckets need

        schema = steady(lambda: _schema_of(path))
    with told_as_no_pack(str(path)):
        return info_of(schema).pack_id


def _schema_of(path: Location) -> Any:
    with path.open("rb") as file:
        try:
            return pa.ipc.open_file(pa.PythonFile(file)).schema
        except Exception as error:  # a foreign file can fail to be read in many ways
            if isinstance(error, OSError) and error.errno is not None:  # as a bucket's, which may be asked again
                raise
            raise PackError(f"{str(path)!r} is not a pack; make one with skin-tune prepare") from None


def check_regular(path: Location) -> None:
    """Raise PackError where there is no file at `path`, or a folder, a pipe or a device, which can hang a reader."""
    if is_regular(path):
        return
    if is_local(path) and os.path.lexists(path):
        raise PackError(f"pack {str(path)!r} is not a regular file")
    raise PackError(f"pack {str(path)!r} does not exist; make one with skin-tune prepare")


def _content_of(file: Path) -> str:
    try:
        return content_of(_mapped(file, str(file)))
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


def _mapped(file: Path, name: str) -> Pack:
    """The pack in a local file, which `name` stands for in messages."""
    with told_as_no_pack(name):
        opened = PackFile(file, name)
        source = pa.memory_map(str(file))
        reader = pa.ipc.open_file(source)
        info = info_of(reader.schema)
        check_schema(reader.schema, info.size, ABOUT)
        batch = only_batch(reader, source, info.size, ABOUT)
        labels = batch.column("label").to_numpy().astype(np.int64)
        check_labels(labels, info.classes)
        (words, split), (names, subjects) = encoded(batch.column("split")), encoded(batch.column("subject"))
        check_split(words.tolist(), split, names.tolist(), subjects)
        counts = checked_counts(info.counts, words.tolist(), split, labels, info.classes)
        if not opened.is_still_there:
            raise PackChangedError(f"the pack has changed: another one was put at {name!r} while it was opened")
        opened.check()
        return Pack(
            path=file,
            info=replace(info, counts=counts),
            images=batch.column("image").to_numpy_ndarray(),
            labels=labels,
            subjects=names[subjects],
            sources=np.asarray(batch.column("source").to_pylist(), dtype=np.str_),
            split=words[split],
            about={name: _described(batch, name) for name in ABOUT},
            file=opened,
        )


def _described(batch: Any, column: str) -> npt.NDArray[np.object_]:
    if column not in batch.schema.names:  # an older version
        return np.full(batch.num_rows, None, dtype=object)
    return np.array([None if value == "" else value for value in batch.column(column).to_pylist()], dtype=object)
