"""Writing a pack."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.data.pack.info import METADATA_KEY, PackInfo
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.storage.files import Location, atomic_write
from skin_tune.storage.photo_columns import ABOUT

_PAGE = 4096
"""Images begin at a multiple of it, where files are mapped."""


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


def images_start(info: PackInfo) -> int:
    """The byte of a pack's file at which its images begin: whole pages, enough for all that comes before them.

    Whoever does not know the counts of `info` yet gives the largest that there can be.
    """
    one_row = PackRows(np.zeros(1, np.int16), np.zeros(1, np.int8), [""], [""])
    images = np.zeros((1, info.size, info.size, 3), np.uint8)
    before = _write_around(None, images, one_row, info, _described_by(info))
    return -(-before // _PAGE) * _PAGE


def write_pack(path: Location, images: npt.NDArray[np.uint8], rows: PackRows, info: PackInfo) -> None:
    """Write `images` uint8 [N, size, size, 3] with their rows. Raises ValueError where those are not N."""
    if len(images) != len(rows.label):
        raise ValueError(f"there are {len(images)} images and {len(rows.label)} labels")
    start = images_start(info)
    with atomic_write(path) as temporary:
        with temporary.open("wb") as file:
            file.seek(start)
            file.write(np.ascontiguousarray(images).data)
        complete_pack(temporary, start, rows, info)


def complete_pack(path: Path, start: int, rows: PackRows, info: PackInfo) -> None:
    """Make a pack of a file that has its images, uint8 [N, size, size, 3], from byte `start` on.

    All else is written around them, as one record batch, so that a reader maps one array; what follows them now is
    overwritten or cut off.
    """
    shape = (len(rows.label), info.size, info.size, 3)
    images: npt.NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r", offset=start, shape=shape)
    description = _described_by(info)
    padding = start - _write_around(None, images, rows, info, description)
    with path.open("r+b") as file:
        if _write_around(file, images, rows, info, description + b" " * padding) != start:
            raise AssertionError(f"the images of {path} would not begin at byte {start}")
        file.truncate()


class _AroundImages:
    """A file as pyarrow writes to it, except that it steps over the images: they are in their place already.

    With None for the file nothing is written, and only the place is found.
    """

    def __init__(self, file: BinaryIO | None, images: pa.Buffer):
        self._file, self._images = file, images
        self._position = 0
        self.images_start = -1
        self.closed = False

    def write(self, data: Any) -> None:
        if isinstance(data, pa.Buffer) and data.address == self._images.address and data.size == self._images.size:
            self.images_start = self._position
        elif self._file is not None:
            self._file.seek(self._position)
            self._file.write(data)
        self._position += len(data)

    def flush(self) -> None:
        """Left to whoever has opened the file, as closing is."""

    def close(self) -> None:
        """Nothing."""


def _described_by(info: PackInfo) -> bytes:
    return json.dumps(asdict(info)).encode()


def _write_around(
    file: BinaryIO | None, images: npt.NDArray[np.uint8], rows: PackRows, info: PackInfo, description: bytes
) -> int:
    """Write all of a pack but the `images`, with their bytes left out; the byte at which they begin."""
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
        metadata={METADATA_KEY: description},
    )
    pixels = pa.py_buffer(images)
    flat = pa.Array.from_buffers(pa.uint8(), images.size, [None, pixels])
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
    around = _AroundImages(file, pixels)
    with pa.PythonFile(around, mode="w") as sink, pa.ipc.new_file(sink, schema, options=options) as out:
        out.write_batch(pa.record_batch(columns, schema=schema))
    return around.images_start


def described(values: Sequence[Any] | None, name: str, rows: int) -> pa.Array:
    """One column of ABOUT: `values` [rows], all unknown if None. An empty word is unknown."""
    return pa.array(
        [None] * rows if values is None else [None if value == "" else value for value in values], ABOUT[name]
    )
