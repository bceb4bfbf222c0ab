"""What is not opened at all: too large a picture, and what is no regular file."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skin_tune.data.preparation.inference_crops import find_photos, wanted_crops
from skin_tune.errors import SourceError
from tests.data.image_files import BLUE, GREEN, RED, WHITE, assert_corners, cut, header_of, read, refusal

Draw = Callable[..., Image.Image]


# Megapixels


def test_a_photo_of_more_megapixels_than_pillow_allows_is_read(tmp_path: Path, quadrants: Draw) -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert Image.MAX_IMAGE_PIXELS < 9600 * 9600
    quadrants(9600, 9600).convert("L").save(tmp_path / "x.jpg", quality=60)
    greys = [(round(np.dot((0.299, 0.587, 0.114), colour)),) * 3 for colour in (RED, GREEN, BLUE, WHITE)]
    assert_corners(read(tmp_path / "x.jpg"), *greys)
    assert refusal(tmp_path / "x.jpg", max_megapixels=92) == (
        "decompression bomb",
        "9600 x 9600 pixels are 92.2 megapixels, and --max-megapixels is 92",
    )


@pytest.mark.parametrize(
    ("width", "height", "limit", "reason"),
    [
        (14_100, 14_100, 200, "unreadable image"),  # 198.8: decoded, and found to be cut off
        (14_200, 14_200, 200, "decompression bomb"),  # 201.6
        (20_000, 19_000, 200, "decompression bomb"),
        (60_000, 60_000, 200, "decompression bomb"),
        (1_000, 1_001, 1, "decompression bomb"),
        (1_000, 1_000, 1, "unreadable image"),
    ],
)
def test_the_header_alone_tells_a_bomb(tmp_path: Path, width: int, height: int, limit: int, reason: str) -> None:
    said, detail = refusal(header_of(tmp_path / "x.png", width, height), max_megapixels=limit)
    assert said == reason
    assert (f"--max-megapixels is {limit}" in detail) == (reason == "decompression bomb")


def test_others_keep_the_limit_of_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quadrants: Draw) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    quadrants(64, 64).save(tmp_path / "x.png")
    assert cut(tmp_path / "x.png")[0].reason == ""
    assert refusal(header_of(tmp_path / "bomb.png", 60_000, 60_000))[0] == "decompression bomb"
    assert Image.MAX_IMAGE_PIXELS == 1000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "x.png")


def test_max_megapixels_is_an_option_of_prepare(
    tmp_path: Path, class_folders: Callable[..., Path], skin_tune: Callable[..., tuple[int, str]]
) -> None:
    root = class_folders(tmp_path / "source", {"0": 5, "1": 5})
    header_of(root / "0" / "large.png", 1500, 1000)
    common = ("prepare", root, "--region", "neck", "--size", 16, "--out", tmp_path / "packs")
    code, said = skin_tune(*common, "--max-megapixels", 1)
    assert (code, "1 decompression bomb" in said) == (0, True)
    code, said = skin_tune(*common, "--max-megapixels", 0)
    assert (code, said.strip()) == (2, "error: --max-megapixels 0 is below 1")


# Pipes, sockets, devices


@pytest.fixture
def special(tmp_path: Path) -> Iterator[Path]:
    """A folder of what is no file: a pipe, a socket, links to devices."""
    folder = tmp_path / "special"
    folder.mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "null.jpg").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "socket.jpg"))
        yield folder


def test_only_regular_files_are_opened(special: Path) -> None:
    for path in sorted(special.iterdir()):
        reason, detail = refusal(path)
        assert reason == "not a regular file"
        assert path.name in detail


def test_neither_prepare_nor_predict_hangs_on_a_pipe(
    tmp_path: Path, class_folders: Callable[..., Path], add_label: Callable[..., Path]
) -> None:
    root = class_folders(tmp_path / "source", {"0": 5, "1": 5})
    os.mkfifo(root / "0" / "pipe.jpg")
    words: list[str | Path] = ["prepare", root, "--region", "neck", "--size", "16", "--out", tmp_path / "packs"]
    done = subprocess.run([sys.executable, "-m", "skin_tune", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "1 not a regular file" in done.stdout
    photos = find_photos([root / "0"])
    assert root / "0" / "pipe.jpg" in photos
    with pytest.raises(SourceError, match="not a regular file"):
        find_photos([root / "0" / "pipe.jpg"])
    os.mkfifo(root / "0" / "0-0_01.json")  # where AI-Hub's label of a photo would be
    (wanted,) = wanted_crops([root / "0" / "0-0.png"], "forehead_wrinkle")
    assert "not a regular file" in wanted.reason
