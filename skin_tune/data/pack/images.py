"""The images of a pack, wherever they are mapped from."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = int | np.integer | slice | npt.NDArray[np.integer] | npt.NDArray[np.bool_] | list[int]
"""What chooses images: a number, a slice, numbers, or a mask."""


class Images:
    """Read-only images, uint8 [N, size, size, 3]: those of a mapped array, or the ones at some `places` [N] of it.

    `images[rows]` is a numpy array. One image is a view of the file, and so is a slice where there are no `places`;
    anything else is a copy. ``np.asarray(images)`` is all of them, which may be gigabytes.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, mapped: npt.NDArray[np.uint8], places: npt.NDArray[np.int64] | None = None):
        self._mapped, self._places = mapped, places

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self._mapped.shape[1:])

    @property
    def nbytes(self) -> int:
        """Of the images, whether or not other packs have them too."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self._mapped if self._places is None else self._places)

    def __getitem__(self, rows: Rows) -> npt.NDArray[np.uint8]:
        """Of rows alone: ``images[3][..., 0]`` is the first channel of one image. Raises IndexError as numpy does."""
        if isinstance(rows, tuple):
            raise IndexError("images are chosen by their rows alone: write images[rows][...]")
        return self._mapped[rows if self._places is None else self._places[rows]]

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self[:], dtype=dtype, copy=copy)

    def take(self, rows: npt.NDArray[np.int64], out: npt.NDArray[np.uint8]) -> None:
        """Copy the images of `rows` [B] to `out` uint8 [B, size, size, 3], at once and without a buffer."""
        places = rows if self._places is None else self._places[rows]
        np.take(self._mapped, places, axis=0, out=out, mode="clip")  # any other mode fills a buffer first
