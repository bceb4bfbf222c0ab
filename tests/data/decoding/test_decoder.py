"""What is read from photo files: colours under alpha, grey of 16 bits, which way is up, which of several pictures."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pillow_heif import from_pillow, register_heif_opener

from tests.data.image_files import BLUE, GREEN, RED, WHITE, assert_corners, cut, png, read, refusal, tiff

register_heif_opener()

Draw = Callable[..., Image.Image]


# Alpha: what a picture shows through is white


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGBA", "png"), ("LA", "png"), ("RGBA", "tif"), ("RGBA", "webp"), ("RGBA", "heic"), ("RGBA", "avif")],
)
def test_colours_under_alpha_are_composed_on_white(tmp_path: Path, mode: str, suffix: str) -> None:
    photo = Image.new("RGBA", (64, 64), (60, 60, 60, 255))
    photo.paste((60, 60, 60, 0), (32, 0, 64, 32))
    photo.paste((60, 60, 60, 102), (0, 32, 32, 64))
    options = {"lossless": True} if suffix == "webp" else {"quality": 100} if suffix in ("heic", "avif") else {}
    photo.convert(mode).save(tmp_path / f"x.{suffix}", **options)
    half = 60 * 0.4 + 255 * 0.6
    assert_corners(read(tmp_path / f"x.{suffix}"), (60,) * 3, (255,) * 3, (half,) * 3, (60,) * 3, within=4)


def test_alpha_that_hides_nothing_changes_not_one_bit(tmp_path: Path, coordinates: Draw) -> None:
    coordinates(64, 64).save(tmp_path / "plain.png")
    coordinates(64, 64).convert("RGBA").save(tmp_path / "alpha.png")
    assert (read(tmp_path / "plain.png") == read(tmp_path / "alpha.png")).all()


@pytest.mark.parametrize("alphas", [b"\xff\x00", b"\xff\x66"])
def test_a_palette_with_transparency_is_composed_on_white(tmp_path: Path, alphas: bytes) -> None:
    photo = Image.new("P", (64, 64), 0)
    photo.putpalette([60, 60, 60, 20, 20, 20])
    photo.paste(1, (32, 0, 64, 64))
    photo.save(tmp_path / "x.png", transparency=alphas)
    shown = (20 * alphas[1] + 255 * (255 - alphas[1])) / 255
    pixels = read(tmp_path / "x.png")
    assert_corners(pixels, (60,) * 3, (shown,) * 3, (60,) * 3, (shown,) * 3, within=2)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_transparent_grey_of_a_png_is_white_at_every_depth(tmp_path: Path, bits: int) -> None:
    key = 0 if bits == 1 else 1 if bits < 8 else 60 if bits == 8 else 60 << 8 | 7
    other = 1 if bits == 1 else 2 if bits < 8 else 90 if bits == 8 else 90 << 8
    row = [key] * 32 + [other] * 32
    if bits == 16:
        packed = np.array(row, ">u2").view(np.uint8)
    else:
        packed = np.packbits(np.unpackbits(np.array(row, np.uint8)[:, None], axis=1)[:, 8 - bits :].ravel())
    path = png(tmp_path / "x.png", bits, 0, np.tile(packed, (64, 1)), (b"tRNS", struct.pack(">H", key)))
    shown = 255 if bits == 1 else other * 255 // ((1 << bits) - 1)
    pixels = read(path, 64)
    assert (pixels[:, :32] == 255).all()
    assert np.abs(pixels[:, 32:] - shown).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
def test_the_transparent_colour_of_a_png_is_white(tmp_path: Path, bits: int) -> None:
    key, other = np.array([60, 70, 80]), np.array([90, 70, 80])
    scale, dtype = (1, np.dtype("u1")) if bits == 8 else (256, np.dtype(">u2"))
    low = 0 if bits == 8 else 7  # bits that Pillow does not read
    row = np.concatenate([np.tile(key * scale + low, 32), np.tile(other * scale, 32)]).astype(dtype).view(np.uint8)
    chunk = (b"tRNS", struct.pack(">3H", *(key * scale + low)))
    path = png(tmp_path / "x.png", bits, 2, np.tile(row, (64, 1)), chunk)
    pixels = read(path, 64)
    assert (pixels[:, :32] == 255).all()
    assert (pixels[:, 32:] == other).all()


# 16 bits


@pytest.fixture
def ramp() -> np.ndarray:
    """Levels of 16 bits over the whole range, uint16 [64, 64]."""
    return np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)


def test_16_bit_grey_is_read_as_16_bit_colour_is(tmp_path: Path, ramp: np.ndarray) -> None:
    big = ramp.astype(">u2").view(np.uint8)
    grey = png(tmp_path / "grey.png", 16, 0, big)
    colour = png(tmp_path / "colour.png", 16, 2, np.repeat(ramp, 3, axis=1).astype(">u2").view(np.uint8))
    assert (read(grey, 64) == read(colour, 64)).all()
    assert (read(grey, 64) == (ramp >> 8)[..., None]).all()


@pytest.mark.parametrize(("order", "white_is_zero"), [("<", False), (">", False), ("<", True)])
def test_16_bit_grey_tiff_is_read_in_either_byte_order(
    tmp_path: Path, ramp: np.ndarray, order: str, white_is_zero: bool
) -> None:
    strip = ramp.astype(order + "u2").tobytes()
    tags = {256: (3, [64]), 257: (3, [64]), 258: (3, [16]), 259: (3, [1]), 262: (3, [0 if white_is_zero else 1])}
    tags |= {273: (4, [8]), 277: (3, [1]), 278: (3, [64]), 279: (4, [len(strip)])}
    tiff(tmp_path / "x.tif", tags, order=order, data=strip)
    shown = 255 - (ramp >> 8) if white_is_zero else ramp >> 8
    assert (read(tmp_path / "x.tif", 64) == shown[..., None]).all()


def test_compressed_16_bit_grey_is_read_too(tmp_path: Path, ramp: np.ndarray) -> None:
    Image.fromarray(ramp).save(tmp_path / "x.tif", compression="tiff_lzw")
    assert (read(tmp_path / "x.tif", 64) == (ramp >> 8)[..., None]).all()


def test_12_bit_grey_is_not_read_as_black(tmp_path: Path, ramp: np.ndarray) -> None:
    levels = ramp >> 4
    first, second = levels[:, ::2], levels[:, 1::2]  # two pixels in three bytes
    strip = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1).astype(np.uint8).tobytes()
    tags = {256: (3, [64]), 257: (3, [64]), 258: (3, [12]), 259: (3, [1]), 262: (3, [1])}
    tags |= {273: (4, [8]), 277: (3, [1]), 278: (3, [64]), 279: (4, [len(strip)])}
    tiff(tmp_path / "x.tif", tags, data=strip)
    assert (read(tmp_path / "x.tif", 64) == (levels >> 4)[..., None]).all()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_more_than_16_bits_are_refused_in_words(tmp_path: Path, ramp: np.ndarray, dtype: type) -> None:
    Image.fromarray(ramp.astype(dtype)).save(tmp_path / "x.tif")
    reason, detail = refusal(tmp_path / "x.tif")
    assert reason == "unreadable image"
    assert "neither 8-bit nor 16-bit" in detail


# Formats that are read, whatever their name, and which way is up

OPTIONS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 95, "subsampling": 0},
    "png": {},
    "tif": {},
    "webp": {"lossless": True},
    "heic": {"quality": 95},
    "avif": {"quality": 95},
}
STORED = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}


def turned(photo: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    """The photo as a camera held so stores it, and the tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for turn in STORED[orientation]:
        photo = photo.transpose(turn)
    return photo, exif


@pytest.mark.parametrize("suffix", OPTIONS)
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes", "object"])
def test_boxes_are_of_the_upright_photo_in_every_format(
    tmp_path: Path, quadrants: Draw, suffix: str, orientation: int, as_bytes: bool
) -> None:
    photo, exif = turned(quadrants(96, 160), orientation)
    path = tmp_path / f"x.{suffix}"
    # Given bytes, the HEIF writer turns the container too (irot, imir); given an object, it writes the tag alone.
    photo.save(path, exif=exif.tobytes() if as_bytes else exif, **OPTIONS[suffix])
    result, pixels = cut(path, box=(32, 64, 64, 96))
    assert result.reason == ""
    assert_corners(pixels, RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_heic_turned_by_its_container_is_not_turned_again_by_its_tag(
    tmp_path: Path, quadrants: Draw, orientation: int
) -> None:
    photo, exif = turned(quadrants(96, 160), orientation)
    path = tmp_path / "x.heic"
    photo.save(path, exif=exif.tobytes(), quality=95)
    data = path.read_bytes()
    assert b"irot" in data
    assert b"Exif" in data
    with Image.open(path) as opened:  # both say how it is turned
        assert opened.size == (96, 160)
        assert opened.info["original_orientation"] == orientation
    assert_corners(read(path, 96)[:, 20:76], RED, GREEN, BLUE, WHITE, within=90)


@pytest.mark.parametrize("suffix", ["heic", "avif", "png", "webp", "tif"])
@pytest.mark.parametrize("name", ["x.jpg", "x.heic", "x"])
def test_content_and_not_the_name_tells_the_format(tmp_path: Path, quadrants: Draw, suffix: str, name: str) -> None:
    quadrants(96, 96).save(tmp_path / f"given.{suffix}", **OPTIONS[suffix])
    (tmp_path / f"given.{suffix}").rename(tmp_path / name)
    assert_corners(read(tmp_path / name), RED, GREEN, BLUE, WHITE)


def test_a_heic_of_several_pictures_is_its_primary_one(tmp_path: Path) -> None:
    pictures = from_pillow(Image.new("RGB", (64, 64), BLUE))
    pictures.add_from_pillow(Image.new("RGB", (96, 64), RED))
    pictures.save(tmp_path / "x.heic", primary_index=1, quality=95)
    _, pixels = cut(tmp_path / "x.heic", box=(0, 0, 64, 64))
    assert_corners(pixels, RED, RED, RED, RED)


def test_a_heic_is_decoded_itself_and_not_its_thumbnail(tmp_path: Path, coordinates: Draw) -> None:
    photo = coordinates(250, 250)
    photo.save(tmp_path / "x.heic", quality=95, thumbnails=[64])
    photo.save(tmp_path / "alone.heic", quality=95)
    assert (read(tmp_path / "x.heic", 64) == read(tmp_path / "alone.heic", 64)).all()


@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_a_truncated_file_of_a_new_format_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for part in (40, len(whole) // 2):
        path.write_bytes(whole[:part])
        assert refusal(path)[0] == "unreadable image", part
