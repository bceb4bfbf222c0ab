"""Where crops come from in their photo, told by the pixels themselves."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skin_tune.data.preparation.crops import Cut, CutResult, cut_photo
from skin_tune.data.sources.manifest import Box

Draw = Callable[..., Image.Image]
PADDING = (124, 116, 104)
RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (235, 235, 235)


def cut(path: Path, box: Box | None, size: int, mirrored: bool = False) -> tuple[CutResult, np.ndarray]:
    ((result, pixels),) = cut_photo(path, [Cut(0, box, mirrored)], size)
    flat = np.frombuffer(pixels, np.uint8)
    return result, flat.reshape(size, size, 3) if result.digest else flat


def corners(pixels: np.ndarray) -> list[np.ndarray]:
    """Mean colours of the four quarters: top left, top right, bottom left, bottom right."""
    half = len(pixels) // 2
    return [pixels[y : y + half, x : x + half].mean(axis=(0, 1)) for y in (0, half) for x in (0, half)]


def assert_corners(pixels: np.ndarray, *colours: tuple[int, int, int], within: float = 6) -> None:
    for mean, colour in zip(corners(pixels), colours, strict=True):
        assert np.abs(mean - colour).max() < within, (mean, colour)


# Geometry


def test_a_square_box_is_cut_pixel_by_pixel(tmp_path: Path, coordinates: Draw) -> None:
    coordinates().save(tmp_path / "x.png")
    result, pixels = cut(tmp_path / "x.png", (30, 50, 94, 114), 64)
    assert result.reason == ""
    assert (pixels[..., 0] == np.arange(30, 94)[None, :]).all()
    assert (pixels[..., 1] == np.arange(50, 114)[:, None]).all()


def test_a_long_box_becomes_the_square_around_its_centre(tmp_path: Path, coordinates: Draw) -> None:
    coordinates().save(tmp_path / "x.png")
    _, pixels = cut(tmp_path / "x.png", (50, 100, 114, 120), 64)  # centre y = 110
    assert (pixels[..., 0] == np.arange(50, 114)[None, :]).all()
    assert (pixels[..., 1] == np.arange(78, 142)[:, None]).all()


def test_a_mirrored_crop_is_the_crop_from_right_to_left(tmp_path: Path, coordinates: Draw) -> None:
    coordinates().save(tmp_path / "x.png")
    plain_result, plain = cut(tmp_path / "x.png", (30, 50, 94, 114), 64)
    result, mirrored = cut(tmp_path / "x.png", (30, 50, 94, 114), 64, mirrored=True)
    assert (mirrored == plain[:, ::-1]).all()
    assert result.digest != plain_result.digest


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-16, 0, 48, 64), np.s_[:, 16:]),
        ((0, -16, 64, 48), np.s_[16:, :]),
        ((152, 0, 216, 64), np.s_[:, :48]),
        ((0, 200, 64, 264), np.s_[:40, :]),
        ((-20, -30, 44, 34), np.s_[30:, 20:]),
    ],
)
def test_what_the_photo_does_not_cover_is_padded_and_the_rest_not_stretched(
    tmp_path: Path, coordinates: Draw, box: Box, inside: Any
) -> None:
    coordinates(200, 240).save(tmp_path / "x.png")
    _, pixels = cut(tmp_path / "x.png", box, 64)
    expected = np.empty((64, 64, 3), np.uint8)
    expected[:] = PADDING
    ys, xs = np.mgrid[0:64, 0:64] + np.array([int(box[1]), int(box[0])])[:, None, None]
    expected[inside] = np.stack([xs, ys, np.zeros_like(xs)], axis=-1)[inside]
    assert (pixels == expected).all()


def test_a_photo_without_a_box_is_padded_to_a_square(tmp_path: Path) -> None:
    Image.new("RGB", (64, 32), RED).save(tmp_path / "x.png")
    _, pixels = cut(tmp_path / "x.png", None, 64)
    assert (pixels[16:48] == RED).all()
    assert (pixels[:16] == PADDING).all()
    assert (pixels[48:] == PADDING).all()


def test_a_shrunk_crop_keeps_its_place(tmp_path: Path, coordinates: Draw) -> None:
    coordinates().save(tmp_path / "x.png")
    _, pixels = cut(tmp_path / "x.png", (20, 40, 148, 168), 32)
    centres = (np.arange(32) + 0.5) * 4 - 0.5
    assert np.abs(pixels[2:-2, 2:-2, 0] - (20 + centres)[None, 2:-2]).max() <= 1
    assert np.abs(pixels[2:-2, 2:-2, 1] - (40 + centres)[2:-2, None]).max() <= 1


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_a_jpeg_shrunk_while_decoding_gives_the_same_crop(tmp_path: Path, quadrants: Draw, factor: int) -> None:
    quadrants(64 * factor + 6, 80 * factor + 10).save(tmp_path / "x.jpg", quality=95, subsampling=0)
    x, y = (64 * factor + 6) // 2, (80 * factor + 10) // 2
    reach = 16 * factor
    _, pixels = cut(tmp_path / "x.jpg", (x - reach, y - reach, x + reach, y + reach), 32)
    assert_corners(pixels, RED, GREEN, BLUE, WHITE, within=15)
    assert np.abs(pixels[8, :14].astype(int) - RED).max() < 25
    assert np.abs(pixels[8, 18:].astype(int) - GREEN).max() < 25


def test_the_smallest_box_of_a_photo_sets_how_far_it_shrinks(tmp_path: Path, coordinates: Draw) -> None:
    coordinates(256, 256).save(tmp_path / "x.jpg", quality=100, subsampling=0)
    small, large = (100, 100, 132, 132), (0, 0, 256, 256)
    (_, alone), *_ = cut_photo(tmp_path / "x.jpg", [Cut(0, small, False)], 32)
    (_, together), *_ = cut_photo(tmp_path / "x.jpg", [Cut(0, small, False), Cut(1, large, False)], 32)
    assert together == alone


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_box_in_shares_is_the_box_in_pixels_of_the_upright_photo(
    tmp_path: Path, coordinates: Draw, orientation: int, suffix: str
) -> None:
    photo = coordinates(200, 240)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for turn in STORED[orientation]:
        photo = photo.transpose(turn)
    path = tmp_path / f"x.{suffix}"
    photo.save(path, exif=exif, quality=100)
    cuts = [
        Cut(0, (20, 48, 120, 180), False),
        Cut(1, (0.1, 0.2, 0.6, 0.75), False, relative=True),
        Cut(2, (1.1, 0.2, 1.6, 0.75), False, relative=True),
    ]
    in_pixels, in_shares, outside = (result for result, _ in cut_photo(path, cuts, 16))
    assert in_pixels.digest == in_shares.digest != b""
    assert outside.reason == "box outside the photo"
    assert "200 x 240" in outside.detail


@pytest.mark.parametrize("colour", [(0, 0, 0), RED])
def test_a_crop_of_one_single_colour_is_marked(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    photo = Image.new("RGB", (64, 64), colour)
    photo.save(tmp_path / "x.png")
    assert cut(tmp_path / "x.png", None, 32)[0].uniform
    photo.putpixel((63, 63), (colour[0] + 9, colour[1], colour[2]))
    photo.save(tmp_path / "x.png")
    assert not cut(tmp_path / "x.png", None, 32)[0].uniform


# EXIF orientation: how the upright photo must be turned to give what is stored
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


@pytest.mark.parametrize("orientation", [*STORED, 9])
@pytest.mark.parametrize("factor", [1, 4])
def test_a_photo_turned_by_its_exif_tag_is_cut_upright(
    tmp_path: Path, quadrants: Draw, orientation: int, factor: int
) -> None:
    photo = quadrants(96 * factor, 160 * factor)
    for turn in STORED.get(orientation, []):
        photo = photo.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(tmp_path / "x.jpg", quality=95, subsampling=0, exif=exif)
    reach = 16 * factor
    x, y = 48 * factor, 80 * factor
    _, pixels = cut(tmp_path / "x.jpg", (x - reach, y - reach, x + reach, y + reach), 32)
    assert_corners(pixels, RED, GREEN, BLUE, WHITE, within=15)


# Pixel formats


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA", "RGBX", "CMYK", "YCbCr"])
def test_every_common_pixel_format_becomes_rgb(tmp_path: Path, mode: str) -> None:
    grey = Image.new("RGB", (200, 200), (255, 255, 255))
    grey.paste((0, 0, 0), (100, 0, 200, 200))
    grey.convert(mode).save(tmp_path / "x.tif")
    _, pixels = cut(tmp_path / "x.tif", None, 32)
    assert_corners(pixels, (255,) * 3, (0,) * 3, (255,) * 3, (0,) * 3, within=16)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "jpg"), ("CMYK", "jpg"), ("P", "png"), ("RGBA", "webp"), ("P", "bmp")]
)
def test_formats_other_than_plain_colour_are_cut_alike(tmp_path: Path, mode: str, suffix: str) -> None:
    photo = Image.new("RGB", (400, 400), (255, 255, 255))
    photo.paste((0, 0, 0), (200, 0, 400, 400))
    photo.convert(mode).save(tmp_path / f"x.{suffix}")
    _, pixels = cut(tmp_path / f"x.{suffix}", (100, 100, 300, 300), 32)
    assert_corners(pixels, (255,) * 3, (0,) * 3, (255,) * 3, (0,) * 3, within=16)


# What cannot be used


def test_an_unreadable_image_is_refused_and_has_no_pixels(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"not an image")
    result, pixels = cut(tmp_path / "x.jpg", None, 32)
    assert (result.reason, result.digest) == ("unreadable image", b"")
    assert len(pixels) == 0


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif", "x.bmp"])
def test_a_truncated_image_is_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for part in (0, 10, len(whole) // 2):
        (tmp_path / name).write_bytes(whole[:part])
        result, _ = cut(tmp_path / name, None, 32)
        assert result.reason == "unreadable image", part


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for side in (20_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
        (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        result, _ = cut(tmp_path / "x.png", None, 32)
        assert result.reason == "decompression bomb"


def test_a_missing_photo_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert cut(tmp_path / "gone.jpg", None, 32)[0].reason == "missing photo"
    (tmp_path / "folder.jpg").mkdir()
    assert cut(tmp_path / "folder.jpg", None, 32)[0].reason == "unreadable image"


@pytest.mark.parametrize("suffix", ["ppm", "ico"])
def test_formats_no_camera_writes_are_refused_whatever_their_name(tmp_path: Path, suffix: str) -> None:
    data = io.BytesIO()
    Image.new("RGB", (64, 64)).save(data, suffix)
    (tmp_path / "x.jpg").write_bytes(data.getvalue())
    assert cut(tmp_path / "x.jpg", None, 32)[0].reason == "unreadable image"


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_an_image_of_more_than_16_bits_is_refused_rather_than_cut_off(tmp_path: Path, dtype: type) -> None:
    Image.fromarray(np.full((64, 64), 40_000, dtype)).save(tmp_path / "x.tif")
    result, _ = cut(tmp_path / "x.tif", None, 32)
    assert result.reason == "unreadable image"
    assert "16-bit" in result.detail


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((10, 10, 10, 50), "empty box"),
        ((10, 10, 50, 10), "empty box"),
        ((50, 10, 10, 50), "empty box"),
        ((-50, 10, -5, 50), "box outside the photo"),
        ((-50, 10, 0, 50), "box outside the photo"),
        ((200, 10, 240, 50), "box outside the photo"),
        ((10, 240, 50, 260), "box outside the photo"),
        ((10, -60, 50, -20), "box outside the photo"),
        ((-1e6, -1e6, 1e6, 1e6), "box outside the photo"),
        ((-1e308, -1e308, 1e308, 1e308), "box outside the photo"),
        ((-1e308, 10, 50, 60), "box outside the photo"),
        ((-64, 0, 1e-6, 64), "box outside the photo"),
    ],
)
def test_a_box_that_shows_nothing_is_refused_and_never_becomes_a_blank_crop(
    tmp_path: Path, coordinates: Draw, box: Box, reason: str
) -> None:
    coordinates(200, 240).save(tmp_path / "x.png")
    result, pixels = cut(tmp_path / "x.png", box, 32)
    assert (result.reason, len(pixels)) == (reason, 0)
    assert "200 x 240" in result.detail


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((10.2, 20.2, 10.3, 20.3), "0.1 x 0.1"),
        ((10, 20, 17, 27), "7 x 7"),
        ((-100, -100, 7, 5), "7 x 5"),  # what the photo does not show does not count
    ],
)
def test_a_crop_of_fewer_than_8_pixels_is_refused_with_its_size(
    tmp_path: Path, coordinates: Draw, box: Box, shown: str
) -> None:
    coordinates(200, 240).save(tmp_path / "x.png")
    result, pixels = cut(tmp_path / "x.png", box, 32)
    assert (result.reason, len(pixels)) == ("crop too small", 0)
    assert result.detail.startswith(f"{shown} pixels")
    assert "200 x 240" in result.detail


def test_the_longer_side_of_what_is_seen_of_a_box_decides(tmp_path: Path, coordinates: Draw) -> None:
    coordinates(200, 240).save(tmp_path / "x.png")
    assert cut(tmp_path / "x.png", (193, 230, 400, 400), 32)[0].reason == ""  # 7 x 10


@pytest.mark.parametrize(("size", "reason"), [((7, 7), "crop too small"), ((5, 8), ""), ((8, 1), "")])
def test_a_whole_photo_of_fewer_than_8_pixels_is_refused(tmp_path: Path, size: tuple[int, int], reason: str) -> None:
    Image.new("RGB", size, RED).save(tmp_path / "x.png")
    assert cut(tmp_path / "x.png", None, 32)[0].reason == reason


def test_a_jpeg_that_is_shrunk_while_decoding_is_measured_in_pixels_of_the_photo(
    tmp_path: Path, coordinates: Draw
) -> None:
    coordinates(256, 256).save(tmp_path / "x.jpg")
    assert cut(tmp_path / "x.jpg", (0, 0, 64, 64), 8)[0].reason == ""


def test_one_bad_box_does_not_spoil_the_others_of_its_photo(tmp_path: Path, coordinates: Draw) -> None:
    coordinates().save(tmp_path / "x.png")
    cuts = [Cut(0, (5, 5, 5, 5), False), Cut(1, (0, 0, 32, 32), False)]
    (first, nothing), (second, pixels) = cut_photo(tmp_path / "x.png", cuts, 32)
    assert (first.reason, nothing) == ("empty box", b"")
    assert second.digest
    assert len(pixels) == 32 * 32 * 3


def test_crops_of_one_box_share_their_pixels(tmp_path: Path, coordinates: Draw) -> None:
    coordinates().save(tmp_path / "x.png")
    cuts = [Cut(0, (0, 0, 32, 32), False), Cut(1, (0, 0, 32, 32), True), Cut(2, (0, 0, 32, 32), False)]
    pixels = {result.row: pixels for result, pixels in cut_photo(tmp_path / "x.png", cuts, 32)}
    assert pixels[0] is pixels[2]
    assert pixels[0] != pixels[1]


def test_a_photo_of_two_frames_is_its_first(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (64, 64), RED), Image.new("RGB", (64, 64), BLUE)
    red.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[blue], quality=95)
    result, pixels = cut(tmp_path / "x.jpg", None, 32)
    assert result.reason == ""
    assert_corners(pixels, RED, RED, RED, RED)
