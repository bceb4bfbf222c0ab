"""What a colour profile makes of a photo's colours, held against the closed form of each colour space."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from skin_tune.data.pack.format import open_pack
from skin_tune.data.preparation.inference_crops import Wanted, cut_crops
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from tests.data.icc import (
    ADOBE_RGB,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    cmyk_profile,
    grey_profile,
    rgb_profile,
    srgb_of,
    srgb_of_grey,
    srgb_of_lab,
)
from tests.data.image_files import assert_colour, cut, png, read

register_heif_opener()

SKIN, SKIN_IN_P3 = (220, 170, 140), (212, 172, 144)
PADDING = (124, 116, 104)
ADOBE_GAMMA = 2.19921875
P3 = rgb_profile(DISPLAY_P3)


# Every format that carries a profile

FORMATS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 100, "subsampling": 0},
    "png": {},
    "tif": {},
    "webp": {"lossless": True},
    "heic": {"quality": -1, "chroma": 444},
    "avif": {"quality": 100, "subsampling": "4:4:4"},
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_display_p3_becomes_srgb_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.new("RGB", (64, 64), SKIN_IN_P3).save(path, icc_profile=P3, **FORMATS[suffix])
    result, pixels = cut(path)
    assert_colour(pixels, SKIN)
    assert result.note == ""


@pytest.mark.parametrize("suffix", FORMATS)
def test_without_a_profile_colours_are_srgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.new("RGB", (64, 64), SKIN_IN_P3).save(path, **FORMATS[suffix])
    result, pixels = cut(path)
    assert_colour(pixels, SKIN_IN_P3)
    assert result.note == ""


# Every kind of profile


@pytest.mark.parametrize(
    ("primaries", "gamma"),
    [(DISPLAY_P3, None), (ADOBE_RGB, ADOBE_GAMMA), (PROPHOTO, 1.8), (SRGB, 1.8), (SRGB, 1.0)],
    ids=["Display P3", "Adobe RGB", "ProPhoto", "gamma 1.8", "linear"],
)
def test_an_rgb_profile_is_converted_as_its_closed_form_says(tmp_path: Path, primaries: Any, gamma: float) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "x.png", icc_profile=rgb_profile(primaries, gamma))
    _, pixels = cut(tmp_path / "x.png", size=64)
    assert_colour(pixels, srgb_of(colours, primaries, gamma))
    assert np.abs(pixels - colours).max() > 10


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.8])
def test_a_grey_profile_is_converted_as_its_gamma_says(tmp_path: Path, mode: str, gamma: float) -> None:
    grey = Image.fromarray(np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[:, None], 64, axis=1)).convert(mode)
    grey.save(tmp_path / "x.png", icc_profile=grey_profile(gamma))
    result, pixels = cut(tmp_path / "x.png", size=64)
    assert_colour(pixels, srgb_of_grey(np.asarray(grey.convert("L")), gamma)[..., None])
    assert result.note == ""


def test_16_bit_grey_goes_through_its_profile_too(tmp_path: Path) -> None:
    Image.fromarray(np.full((64, 64), 100 << 8 | 99, np.uint16)).save(tmp_path / "x.png", icc_profile=grey_profile(1.0))
    assert_colour(read(tmp_path / "x.png"), srgb_of_grey(np.array(100), 1.0))


def test_16_bit_grey_with_alpha_has_a_profile_of_grey(tmp_path: Path) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "x.png", icc_profile=grey_profile(1.0))
    data = (tmp_path / "x.png").read_bytes()
    at = data.index(b"iCCP")
    chunk = (b"iCCP", data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")])
    path = png(tmp_path / "x.png", 16, 4, np.tile(np.array([100, 7, 255, 255], np.uint8), (64, 64)), chunk)
    result, pixels = cut(path)
    assert result.note == ""
    assert_colour(pixels, srgb_of_grey(np.array(100), 1.0))


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_goes_through_its_profile(tmp_path: Path, suffix: str) -> None:
    def lab(c: int, m: int, y: int, k: int) -> tuple[float, float, float]:
        return 100 - 30 * c - 20 * m - 5 * y - 45 * k, 50 * m - 40 * c, 60 * y - 30 * c

    profile = cmyk_profile(lab)
    for inks in [(0, 0, 0, 0), (0, 1, 0, 0), (0, 1, 1, 0), (0, 0, 1, 0), (0, 0, 0, 1), (1, 0, 1, 0)]:
        photo = Image.new("CMYK", (64, 64), tuple(255 * ink for ink in inks))
        path = tmp_path / f"x.{suffix}"
        photo.save(path, icc_profile=profile, **FORMATS[suffix])
        assert_colour(read(path), srgb_of_lab(*lab(*inks)), within=3)
        photo.save(path, **FORMATS[suffix])
        assert_colour(read(path), np.asarray(photo.convert("RGB"))[0, 0])  # as without any profile


def test_a_palette_has_the_profile_of_its_colours(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), SKIN_IN_P3).quantize(4).save(tmp_path / "x.png", icc_profile=P3)
    assert_colour(read(tmp_path / "x.png"), SKIN)


def test_colours_under_alpha_go_through_the_profile_and_white_stays_white(tmp_path: Path) -> None:
    photo = Image.new("RGBA", (64, 64), (*SKIN_IN_P3, 255))
    photo.paste((0, 0, 0, 0), (32, 0, 64, 64))
    photo.save(tmp_path / "x.png", icc_profile=P3)
    _, pixels = cut(tmp_path / "x.png", size=64)
    assert_colour(pixels[:, :32], SKIN)
    assert_colour(pixels[:, 32:], (255, 255, 255), within=1)


# Where and how the conversion is done


def test_padding_is_no_colour_of_the_photo(tmp_path: Path) -> None:
    Image.new("RGB", (64, 32), SKIN_IN_P3).save(tmp_path / "x.png", icc_profile=P3)
    _, pixels = cut(tmp_path / "x.png", size=64)
    assert_colour(pixels[16:48], SKIN)
    assert (np.concatenate([pixels[:16], pixels[48:]]) == PADDING).all()


@pytest.mark.parametrize(("primaries", "gamma"), [(DISPLAY_P3, None), (ADOBE_RGB, ADOBE_GAMMA)])
def test_a_converted_crop_is_the_crop_of_the_converted_photo(
    tmp_path: Path, grainy_skin: Image.Image, primaries: Any, gamma: float
) -> None:
    stored = grainy_skin.point(lambda level: 40 + level * 0.7)  # colours sRGB has, so that none is clipped
    stored.save(tmp_path / "tagged.png", icc_profile=rgb_profile(primaries, gamma))
    converted = srgb_of(np.asarray(stored), primaries, gamma)
    Image.fromarray(converted.astype(np.uint8)).save(tmp_path / "converted.png")
    _, crop = cut(tmp_path / "tagged.png", 32, (16, 16, 240, 240))
    _, expected = cut(tmp_path / "converted.png", 32, (16, 16, 240, 240))
    assert_colour(crop, expected)
    assert abs((crop - expected).mean()) < 0.3


def test_predict_sees_the_pixels_that_prepare_packs(tmp_path: Path, class_folders: Callable[..., Path]) -> None:
    folder = class_folders(tmp_path / "source", {"0": 5, "1": 5})
    photo = folder / "0" / "p3.jpg"
    Image.new("RGB", (64, 48), SKIN_IN_P3).save(photo, icc_profile=P3, quality=100)
    (outcome,) = prepare(PrepareRequest([folder], "neck", size=32, out=tmp_path / "packs"))
    pack = open_pack(outcome.path)
    (packed,) = pack.images[pack.sources == "0/p3.jpg"]
    with cut_crops([Wanted(photo)], 32) as (pixels, reasons):
        assert reasons == [""]
        assert (pixels[0] == packed).all()
    assert_colour(packed[16].astype(int), SKIN)
