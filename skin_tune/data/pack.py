"""The pack: one region's prepared crops in one memory-mappable Arrow file."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.about import ABOUT
from skin_tune.data.node_cache import node_copy
from skin_tune.data.pack_columns import check_labels, check_schema, check_split, checked_counts, encoded, only_batch
from skin_tune.data.pack_fields import checked_fields, checked_version, read_metadata, told_as_no_pack
from skin_tune.data.pack_file import PackFile
from skin_tune.data.split import SPLITS
from skin_tune.errors import PackChangedError, PackError
from skin_tune.paths import atomic_write, is_local, is_regular

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
"""Version 1 has no `ordinal` and, of ABOUT, device and angle alone."""
_SINCE_VERSION_2 = ("ordinal", "split_given")
_METADATA_KEY = b"skin_tune"


@dataclass(frozen=True)
class PackInfo:
    """What a pack says of itself, kept as JSON in its schema metadata under `skin_tune`."""

    region: str
    classes: list[str]
    """Class names, in ordinal order where there is one; `label` is an index into them."""
    size: int
    """Side of every image in pixels."""
    split_seed: int
    split_ratios: list[int]
    """Whole percentages of train, val and test; empty where the source gives the whole split."""
    counts: dict[str, dict[str, int]]
    """Images per split and class name."""
    pack_id: str
    """Hash of the content: images, labels, subjects, split."""
    ordinal: bool = True
    """False for named classes without an order: they have no distance, so no MAE, within-one, QWK or expected grade."""
    split_given: bool = False
    """The source gives the split; where it gives no val, `split_ratios` are those of its train people."""
    format_version: int = FORMAT_VERSION

    @property
    def split_words(self) -> str:
        """How the rows were split, such as ``split 60/20/20 by subject, seed 0``."""
        ratios = f"{'/'.join(map(str, self.split_ratios))} by subject, seed {self.split_seed}"
        if not self.split_given:
            return f"split {ratios}"
        return "split as the source gives it" + (f", its train {ratios}" if self.split_ratios else "")


@dataclass(frozen=True)
class PackRows:
    """The columns of a pack beside its images, one entry a row."""

    label: npt.NDArray[np.int16]
    split: npt.NDArray[np.int8]
    """Index into SPLITS."""
    subject: Sequence[str]
    source: Sequence[str]
    about: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Columns of ABOUT; those left out, and empty words, become null."""


@dataclass(frozen=True)
class Pack:
    """An open pack. `images` is a read-only view [N, size, size, 3] uint8 of the mapped file: nothing is copied."""

    path: Path
    info: PackInfo
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    subjects: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    about: Mapping[str, npt.NDArray[np.object_]]
    """Each column of ABOUT [N]; None where the source does not say."""
    file: PackFile = field(repr=False, compare=False)
    """What is mapped: a copy on this machine where `path` is in a bucket."""

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


def write_pack(path: Path, images: npt.NDArray[np.uint8], rows: PackRows, info: PackInfo) -> None:
    """Write `images` [N, size, size, 3] with their rows as one record batch, so that a reader maps one array.

    `images` may itself be a memory map: it is written through, never held in memory as a whole.
    """
    tensor_type = pa.fixed_shape_tensor(pa.uint8(), [info.size, info.size, 3])
    schema = pa.schema(
        [
            ("image", tensor_type),
            ("label", pa.int16()),
            ("subject", pa.string()),
            ("split", pa.string()),
            ("source", pa.string()),
            *ABOUT.items(),
        ],
        metadata={_METADATA_KEY: json.dumps(asdict(info)).encode()},
    )
    flat = pa.Array.from_buffers(pa.uint8(), images.size, [None, pa.py_buffer(images)])
    storage = pa.FixedSizeListArray.from_arrays(flat, type=tensor_type.storage_type)
    columns = [
        pa.ExtensionArray.from_storage(tensor_type, storage),
        pa.array(rows.label, pa.int16()),
        pa.array(rows.subject, pa.string()),
        pa.array([SPLITS[code] for code in rows.split], pa.string()),
        pa.array(rows.source, pa.string()),
        *(described(rows.about.get(name), name, len(rows.label)) for name in ABOUT),
    ]
    # A column of more than 2^31 bytes is 10,922 images of 256 pixels: fewer than a whole region has.
    options = pa.ipc.IpcWriteOptions(allow_64bit=True)
    with (
        atomic_write(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema, options=options) as out,
    ):
        out.write_batch(pa.record_batch(columns, schema=schema))


def described(values: Sequence[Any] | None, name: str, rows: int) -> pa.Array:
    """One column of ABOUT: `values` [rows], all unknown if None. An empty word is unknown."""
    return pa.array(
        [None] * rows if values is None else [None if value == "" else value for value in values], ABOUT[name]
    )


def content_id(
    region: str,
    classes: Sequence[str],
    size: int,
    digests: Iterable[bytes],
    labels: Iterable[int],
    split: Iterable[int],
    subjects: Iterable[str],
    ordinal: bool = True,
) -> str:
    """The `pack_id` of such a pack: a hash over the `digests` of its images, their labels, splits and subjects."""
    kind = "" if ordinal else " nominal"
    content = hashlib.blake2b(f"{region} {list(classes)} {size}{kind}".encode(), digest_size=16)
    for digest, label, part, subject in zip(digests, labels, split, subjects, strict=True):
        content.update(digest + f"{label} {part} {subject}\n".encode())
    return content.hexdigest()


def image_digest(pixels: bytes | memoryview) -> bytes:
    """What `content_id` takes an image's pixels, uint8 [size, size, 3], for."""
    return hashlib.blake2b(pixels, digest_size=16).digest()


def open_pack(path: Path, pack_id: str | None = None) -> Pack:
    """Map a pack; one in a bucket is fetched to this machine first, unless it has been.

    With `pack_id` no other is taken, and a bucket is not even asked where that one is here. Raises PackError where the
    file is missing, damaged, no pack, empty, another one, or of another format version.
    """
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


def _check_is(path: Path, pack_id: str) -> None:
    """Raise PackChangedError where the file at `path` is another pack by now, or none."""
    try:
        found = read_pack_id(path)
    except (PackError, OSError):
        found = "no pack"
    if found != pack_id:
        raise _another(path, found, pack_id)


def _another(path: Path, found: str, expected: str) -> PackChangedError:
    return PackChangedError(f"the pack has changed: {str(path)!r} is {found}, and {expected} was expected")


def read_pack_id(path: Path) -> str:
    """The `pack_id` that a file claims to have: a few kilobytes are read. Raises PackError where it is no pack."""
    if is_local(path):
        schema = _schema_of(path)
    else:
        from skin_tune.bucket import steady  # a third of a second that only buckets need

        schema = steady(lambda: _schema_of(path))
    with told_as_no_pack(str(path)):
        return _info(schema).pack_id


def _schema_of(path: Path) -> Any:
    with path.open("rb") as file:
        try:
            return pa.ipc.open_file(pa.PythonFile(file)).schema
        except Exception as error:  # a foreign file can fail to be read in many ways
            if isinstance(error, OSError) and error.errno is not None:  # as a bucket's, which may be asked again
                raise
            raise PackError(f"{str(path)!r} is not a pack; make one with skin-tune prepare") from None


def check_regular(path: Path) -> None:
    """Raise PackError where there is no file at `path`, or a folder, a pipe or a device, which can hang a reader."""
    if is_regular(path):
        return
    if os.path.lexists(path):
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


def _info(schema: Any) -> PackInfo:
    metadata = read_metadata((schema.metadata or {}).get(_METADATA_KEY))
    version = checked_version(metadata, READABLE_VERSIONS)
    return PackInfo(**checked_fields(metadata, optional=_SINCE_VERSION_2), format_version=version)


def _mapped(file: Path, name: str) -> Pack:
    """The pack in a local file, which `name` stands for in messages."""
    with told_as_no_pack(name):
        opened = PackFile(file, name)
        source = pa.memory_map(str(file))
        reader = pa.ipc.open_file(source)
        info = _info(reader.schema)
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
