"""An Arrow file written around images that are in it already: they are written once, and never held in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.data.pack.layout.info import METADATA_KEY

_PAGE = 4096
"""Images begin at a multiple of it, where files are mapped."""


def start_of_images(size: int, one_row: Mapping[str, pa.Array], description: bytes) -> int:
    """The byte at which images of `size` pixels begin: whole pages, enough for all that comes before them.

    `one_row` are the columns beside them, of a single row. Whoever does not know the `description` yet gives the
    longest that there can be.
    """
    before = _write_around(None, np.zeros((1, size, size, 3), np.uint8), one_row, description)
    return -(-before // _PAGE) * _PAGE


def complete_around(
    path: Path, start: int, shape: tuple[int, int, int, int], columns: Mapping[str, pa.Array], description: bytes
) -> None:
    """Make an Arrow file of one that has images, uint8 of `shape` [N, size, size, 3], from byte `start` on.

    Its first column are the images, then come `columns`; `description` is its metadata. All is one record batch, so
    that a reader maps one array; what follows the images now is overwritten or cut off.
    """
    images: npt.NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r", offset=start, shape=shape)
    padding = start - _write_around(None, images, columns, description)
    with path.open("r+b") as file:
        if _write_around(file, images, columns, description + b" " * padding) != start:
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


def _write_around(
    file: BinaryIO | None, images: npt.NDArray[np.uint8], columns: Mapping[str, pa.Array], description: bytes
) -> int:
    """Write all but the `images`, with their bytes left out; the byte at which they begin."""
    tensor_type = pa.fixed_shape_tensor(pa.uint8(), list(images.shape[1:]))
    fields = [("image", tensor_type), *((name, column.type) for name, column in columns.items())]
    schema = pa.schema(fields, metadata={METADATA_KEY: description})
    pixels = pa.py_buffer(images)
    flat = pa.Array.from_buffers(pa.uint8(), images.size, [None, pixels])
    storage = pa.FixedSizeListArray.from_arrays(flat, type=tensor_type.storage_type)
    arrays = [pa.ExtensionArray.from_storage(tensor_type, storage), *columns.values()]
    # A column of more than 2^31 bytes is 10,922 images of 256 pixels: fewer than a whole region has.
    options = pa.ipc.IpcWriteOptions(allow_64bit=True)
    around = _AroundImages(file, pixels)
    with pa.PythonFile(around, mode="w") as sink, pa.ipc.new_file(sink, schema, options=options) as out:
        out.write_batch(pa.record_batch(arrays, schema=schema))
    return around.images_start
