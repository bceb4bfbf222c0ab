"""Small sources to read: label files, tables and photos in which every pixel tells where it was."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import skin_tune.cli.main as cli
from tests.data.lab import Lab

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (235, 235, 235)


@pytest.fixture
def real_data() -> Path:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "aihub"
    if not folder.is_dir():
        pytest.skip("the real label files are not beside the repository (shared/data/aihub)")
    return folder


@pytest.fixture
def coordinates() -> Callable[..., Image.Image]:
    """A photo whose red is x and whose green is y; blue is free, to tell photos apart."""

    def draw(width: int = 200, height: int = 240, blue: int = 0) -> Image.Image:
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[..., 0] = np.arange(width)[None, :]
        pixels[..., 1] = np.arange(height)[:, None]
        pixels[..., 2] = blue
        return Image.fromarray(pixels)

    return draw


@pytest.fixture
def quadrants() -> Callable[..., Image.Image]:
    """A photo that is red, green, blue and white: top left, top right, bottom left, bottom right."""

    def draw(width: int, height: int) -> Image.Image:
        photo = Image.new("RGB", (width, height), RED)
        photo.paste(GREEN, (width // 2, 0, width, height // 2))
        photo.paste(BLUE, (0, height // 2, width // 2, height))
        photo.paste(WHITE, (width // 2, height // 2, width, height))
        return photo

    return draw


@pytest.fixture
def opened_photos(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The photos that have been opened so far, one entry each time."""
    opened: list[Path] = []
    pillow_open = Image.open

    def noting(path: Path, **options: Any) -> Image.Image:
        opened.append(path)
        return pillow_open(path, **options)

    monkeypatch.setattr(Image, "open", noting)
    return opened


@pytest.fixture
def grainy_skin() -> Image.Image:
    """Skin with grain and shadows, 256 x 256."""
    rng = np.random.default_rng(0)
    shade = np.linspace(0.2, 1.1, 256)[:, None, None] * np.array((220, 170, 140))
    return Image.fromarray(np.clip(shade + rng.normal(0, 12, (256, 256, 3)), 0, 255).astype(np.uint8))


@pytest.fixture
def add_label() -> Callable[..., Path]:
    """Write one AI-Hub label file; `changes` replace top-level keys."""

    def add(folder: Path, stem: str, part: int, grades: Any, box: Any = (10, 20, 110, 120), **changes: Any) -> Path:
        label = {
            "info": {"filename": f"{stem}.jpg", "id": stem.partition("_")[0], "gender": "F", "age": 40},
            "images": {"device": 0, "width": 200, "height": 240, "angle": 0, "facepart": part, "bbox": box},
            "annotations": grades,
            "equipment": {"forehead_moisture": 53.0, "forehead_wrinkle": "Er"},
        }
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}_{part:02d}.json"
        path.write_text(json.dumps(label | changes))
        return path

    return add


@pytest.fixture
def class_folders(coordinates: Callable[..., Image.Image]) -> Callable[..., Path]:
    """Class folders with so many images each; every image is another one."""

    def make(root: Path, images: dict[str, int], name: str = "{cls}-{n}.png") -> Path:
        blue = 0
        for cls, count in images.items():
            (root / cls).mkdir(parents=True, exist_ok=True)
            for n in range(count):
                blue += 1
                coordinates(40, 40, blue).save(root / cls / name.format(cls=cls, n=n))
        return root

    return make


@pytest.fixture
def skin_tune(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command line in this process: exit code, and what it printed."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["skin-tune", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as leave:
            code = int(leave.code or 0)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


@pytest.fixture
def lab(tmp_path: Path, skin_tune: Callable[..., tuple[int, str]]) -> Lab:
    return Lab(tmp_path, skin_tune)
