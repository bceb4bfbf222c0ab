"""A whole AI-Hub tree in small."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from skin_tune.regions import CATALOGUE

Draw = Callable[..., Image.Image]


Folders = Callable[..., Path]


AddLabel = Callable[..., Path]


Cli = Callable[..., tuple[int, str]]


KEYS = {
    1: ("forehead_wrinkle", "forehead_pigmentation"),
    2: ("glabellus_wrinkle",),
    3: ("l_perocular_wrinkle",),
    4: ("r_perocular_wrinkle",),
    5: ("l_cheek_pigmentation", "l_cheek_pore"),
    6: ("r_cheek_pigmentation", "r_cheek_pore"),
    7: ("lip_dryness",),
    8: ("chin_sagging",),
}


@pytest.fixture
def tree(tmp_path: Path, coordinates: Draw, add_label: AddLabel) -> Path:
    """21 subjects, a photo each; subject n has in every region the grade n modulo the region's classes."""
    root = tmp_path / "tree"
    classes = {view.key: region.classes for region in CATALOGUE.values() for view in region.views}
    for n in range(21):
        stem = f"{n:04d}_01_F"
        folder = root / "img" / "01" / f"{n:04d}"
        folder.mkdir(parents=True)
        coordinates(100, 120, n).save(folder / f"{stem}.jpg", "PNG")  # lossless, so that pixels can be told
        for part, keys in KEYS.items():
            grades = {key: n % classes[key] for key in keys}
            add_label(root / "label" / "01" / f"{n:04d}", stem, part, grades, [part, 20, part + 32, 52])
    return root
