"""Which profiles are followed: not those that say sRGB in other words, nor those that cannot be used."""

import io
import zlib
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from skin_tune.data.decoding.decoder import BAD_PROFILE
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from tests.data.icc import DISPLAY_P3, SRGB, cmyk_profile, grey_profile, rgb_profile, srgb_of
from tests.data.image_files import assert_colour, cut

SKIN = (220, 170, 140)
P3 = rgb_profile(DISPLAY_P3)

# sRGB by any name


def srgb_by_pillow() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


ROUNDED = rgb_profile(SRGB, digits=4)
"""As cameras round it: every hundredth level of strong colours comes out another."""


@pytest.fixture
def colours() -> Image.Image:
    """Every colour alike, 256 x 256."""
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (256, 256, 3), dtype=np.uint8))


def test_a_rounded_srgb_profile_taken_by_its_word_would_change_bits(colours: Image.Image) -> None:
    through = ImageCms.profileToProfile(colours, ImageCms.ImageCmsProfile(io.BytesIO(ROUNDED)), srgb_by_pillow())
    assert through is not None
    assert np.abs(np.asarray(through).astype(int) - np.asarray(colours)).max() in (1, 2)


@pytest.mark.parametrize("profile", [rgb_profile(SRGB), ROUNDED, srgb_by_pillow().tobytes()])
@pytest.mark.parametrize("size", [256, 100, 32])
def test_an_srgb_profile_changes_not_one_bit(tmp_path: Path, colours: Image.Image, profile: bytes, size: int) -> None:
    colours.save(tmp_path / "plain.png")
    colours.save(tmp_path / "tagged.png", icc_profile=profile)
    plain, _ = cut(tmp_path / "plain.png", size)
    tagged, _ = cut(tmp_path / "tagged.png", size)
    assert astuple(plain) == astuple(tagged)


def test_srgb_primaries_with_a_plain_gamma_are_not_srgb(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (12, 12, 12)).save(tmp_path / "x.png", icc_profile=rgb_profile(SRGB, 2.2))
    _, pixels = cut(tmp_path / "x.png")
    assert_colour(pixels, srgb_of(np.array([12, 12, 12]), SRGB, 2.2), within=1)
    assert pixels.max() < 8


def test_grey_with_the_curve_of_srgb_changes_not_one_bit(tmp_path: Path, grainy_skin: Image.Image) -> None:
    grey = grainy_skin.convert("L")
    grey.save(tmp_path / "plain.png")
    grey.save(tmp_path / "tagged.png", icc_profile=grey_profile(None))
    assert astuple(cut(tmp_path / "plain.png")[0]) == astuple(cut(tmp_path / "tagged.png")[0])


# Profiles that are of no use

P3_AS_LINK = P3[:12] + b"link" + P3[16:]
USELESS = {
    "garbage": ("RGB", b"not a profile at all" * 20),
    "cut off": ("RGB", P3[:200]),
    "empty of tags": ("RGB", P3[:128] + bytes(4)),
    "of grey": ("RGB", grey_profile(2.2)),
    "of RGB": ("L", P3),
    "of ink": ("RGB", cmyk_profile(lambda c, m, y, k: (50.0, 0.0, 0.0))),
    "of RGB for ink": ("CMYK", P3),
    "a device link": ("RGB", P3_AS_LINK),
}


@pytest.mark.parametrize("kind", USELESS)
def test_a_useless_profile_is_noted_and_ignored(tmp_path: Path, grainy_skin: Image.Image, kind: str) -> None:
    mode, profile = USELESS[kind]
    photo = grainy_skin.convert(mode)
    photo.save(tmp_path / "plain.tif")
    photo.save(tmp_path / "tagged.tif", icc_profile=profile)
    plain, _ = cut(tmp_path / "plain.tif")
    tagged, _ = cut(tmp_path / "tagged.tif")
    assert tagged.digest == plain.digest
    assert (plain.note, tagged.note) == ("", BAD_PROFILE)


def test_a_png_whose_profile_is_damaged_is_noted(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), SKIN).save(tmp_path / "x.png", icc_profile=P3)
    data = bytearray((tmp_path / "x.png").read_bytes())
    at = data.index(b"iCCP")
    length = int.from_bytes(data[at - 4 : at], "big")
    start = data.index(b"\0\0", at + 4) + 2
    data[start : at + 4 + length] = bytes(at + 4 + length - start)  # zeros are no zlib stream
    data[at + 4 + length : at + 8 + length] = zlib.crc32(data[at : at + 4 + length]).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(data)
    result, pixels = cut(tmp_path / "x.png")
    assert result.note == BAD_PROFILE
    assert_colour(pixels, SKIN, within=0)


def test_prepare_says_how_many_photos_had_no_usable_profile(tmp_path: Path, grainy_skin: Image.Image) -> None:
    lines = ["path,label,left,top,right,bottom"]
    for n in range(12):
        shade = grainy_skin.point(lambda level, n=n: max(level - n, 0))
        shade.save(tmp_path / f"{n}.png", icc_profile=(P3, b"garbage", None)[n % 3])
        lines += [f"{n}.png,{n % 2},0,0,100,100", f"{n}.png,{n % 2},50,50,250,250"]  # two crops of each photo
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    (outcome,) = prepare(PrepareRequest([tmp_path / "labels.csv"], "neck", size=32, out=tmp_path / "packs"))
    assert f"4 photos: {BAD_PROFILE}" in outcome.warnings
