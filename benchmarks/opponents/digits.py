"""scikit-learn's digits with a long tail."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

LARGEST, SMALLEST, SIZE = 120, 3, 32


def write_digits(folder: Path, *, largest: int = LARGEST, smallest: int = SMALLEST) -> None:
    """Class folders of PNG files, 32 px; each digit has the same share fewer images than the one before."""
    digits = load_digits()
    counts = np.rint(np.geomspace(largest, smallest, 10)).astype(int)
    for digit, count in enumerate(counts):
        (folder / str(digit)).mkdir(parents=True, exist_ok=True)
        for number, row in enumerate(np.flatnonzero(digits.target == digit)[:count]):
            pixels = (digits.images[row] * (255 / 16)).astype(np.uint8)
            enlarged = Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            enlarged.convert("RGB").save(folder / str(digit) / f"{number:03d}.png")
