"""From what a file stores, grey or colour, 1 to 16 bits, with alpha or without, to plain 8-bit pixels."""

import numpy as np
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

_PNG_LEVELS = {"1": 255, "L;2": 85, "L;4": 17}
"""Size of one grey level of a PNG in 8 bits, by Pillow's raw mode."""


def colour_kind(opened: ImageFile.ImageFile) -> str:
    """The mode a profile must be for: L, RGB, CMYK or, for which there is none, LAB and HSV."""
    if opened.format == "PNG" and opened.tile[0].args == "LA;16B":  # grey with alpha, which Pillow reads as RGBA
        return "L"
    if opened.mode in ("1", "L", "LA", "La") or opened.mode.startswith("I;16"):
        return "L"
    return opened.mode if opened.mode in ("CMYK", "LAB", "HSV") else "RGB"


def scale_transparent_colour(opened: ImageFile.ImageFile) -> None:
    """Put a PNG's transparent colour, which Pillow leaves in the file's own depth, into the 8 bits of its pixels.

    Call it before pixels are loaded. Of 16 bits the upper 8 are compared, as those are what Pillow reads.
    """
    colour = opened.info.get("transparency")
    if opened.format != "PNG" or colour is None:
        return
    raw_mode = opened.tile[0].args
    if raw_mode == "RGB;16B":
        opened.info["transparency"] = tuple(level >> 8 for level in colour)
    elif raw_mode == "I;16B":
        opened.info["transparency"] = colour >> 8
    elif raw_mode in _PNG_LEVELS:
        opened.info["transparency"] = colour * _PNG_LEVELS[raw_mode]


def eight_bits(opened: ImageFile.ImageFile) -> Image.Image:
    """The picture in 8 bits. Of 16-bit grey the upper 8, which is what Pillow itself reads of 16-bit colour."""
    if opened.mode.startswith("I;16"):
        return _grey_of_16_bits(opened)
    if opened.mode.startswith(("I", "F")):
        raise ValueError(f"pixel format {opened.mode} is neither 8-bit nor 16-bit; save it as one of these")
    return opened


def _grey_of_16_bits(opened: ImageFile.ImageFile) -> Image.Image:
    bits, inverted = 16, False
    if isinstance(opened, TiffImageFile):
        bits = opened.tag_v2.get(258, (16,))[0]  # of 12-bit grey, too, Pillow makes I;16
        inverted = opened.tag_v2.get(262) == 0  # white is zero
    levels = (np.asarray(opened) >> (bits - 8)).astype(np.uint8)
    grey = Image.fromarray(255 - levels if inverted else levels)
    if "transparency" in opened.info:
        grey.info["transparency"] = opened.info["transparency"]
    return grey


def flat(image: Image.Image, mode: str) -> Image.Image:
    """`image` in `mode`, what it shows through put on white."""
    if image.has_transparency_data:
        seen = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)).convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(seen, mask=seen)
    return image if image.mode == mode else image.convert(mode)  # which would copy the whole photo
