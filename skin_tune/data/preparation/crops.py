"""One photo to square crops."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from skin_tune.data.decoding.colour import ToSrgb
from skin_tune.data.decoding.decoder import Photo, Size, UnusablePhotoError, open_photo
from skin_tune.data.pack.layout.info import image_digest
from skin_tune.data.sources.files import MAX_MEGAPIXELS
from skin_tune.data.sources.manifest import Box

_SMALLEST = 8
"""Pixels of the photo that a crop's longer side must show: what is blown up from fewer says nothing of skin."""
_OUTSIDE = "box outside the photo"
_PADDING = (124, 116, 104)
"""ImageNet's mean colour: what is outside the photo becomes zero in the network's input."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One crop to make. `row` says which of the rows it is of."""

    row: int
    box: Box | None
    mirrored: bool
    relative: bool = False
    """Whether `box` is in shares of the upright photo."""


@dataclass(frozen=True, slots=True)
class CutResult:
    """`digest` of the crop's pixels, or the reason why there is none."""

    row: int
    digest: bytes = b""
    reason: str = ""
    detail: str = ""
    note: str = ""
    """A note on a photo that could be used."""
    uniform: bool = False
    """Whether the crop is of one single colour."""
    place: int = -1
    """Which of the crops in its file it is, from 0; -1 where it is in none."""


Crop = tuple[CutResult, bytes]
"""What became of a Cut, and its pixels, uint8 [size, size, 3]; none where there is a reason."""


def cut_photo(path: Path, cuts: Sequence[Cut], size: int, max_megapixels: int = MAX_MEGAPIXELS) -> list[Crop]:
    """Decode one photo and cut each of its crops; those of one box share their pixels."""

    def shortest(photo_size: Size) -> float:
        return min(_side(in_pixels(cut.box, cut.relative, photo_size)) for cut in cuts)

    try:
        photo = open_photo(path, shortest, size, max_megapixels)
    except UnusablePhotoError as error:
        return [(CutResult(cut.row, reason=error.reason, detail=error.detail), b"") for cut in cuts]
    alike: dict[tuple[Box | None, bool, bool], list[Cut]] = {}
    for cut in cuts:
        alike.setdefault((cut.box, cut.relative, cut.mirrored), []).append(cut)
    sides = [_side(photo.decoded_box(in_pixels(box, relative, photo.size))) for box, relative, _ in alike]
    if photo.pixels.width * photo.pixels.height <= sum(min(side, size) ** 2 for side in sides):
        photo = photo.in_srgb()  # fewer pixels than its crops have together
    return [crop for group in alike.values() for crop in _cut(photo, group, size)]


def in_pixels(box: Box | None, relative: bool, photo_size: Size) -> Box:
    """`box` in pixels of the upright photo, the whole of it where there is none."""
    width, height = photo_size
    if box is None:
        return (0.0, 0.0, float(width), float(height))
    left, top, right, bottom = box
    return (left * width, top * height, right * width, bottom * height) if relative else box


def _side(box: Box) -> float:
    left, top, right, bottom = box
    return max(right - left, bottom - top)


def _cut(photo: Photo, cuts: Sequence[Cut], size: int) -> list[Crop]:
    """One crop for all of `cuts`, which differ in nothing but the region that is graded on it."""
    cut = cuts[0]
    box = in_pixels(cut.box, cut.relative, photo.size)
    reason, detail = _refusal(box, photo.size)
    crop = None if reason else square_crop(photo.pixels, photo.decoded_box(box), size, photo.to_srgb)
    if crop is None:
        reason = reason or _OUTSIDE
        detail += f"box {cut.box} in a photo of {photo.size[0]} x {photo.size[1]}"
        return [(CutResult(cut.row, reason=reason, detail=detail), b"") for cut in cuts]
    pixels = (ImageOps.mirror(crop) if cut.mirrored else crop).tobytes()
    digest = image_digest(pixels)
    uniform = pixels == pixels[:3] * (size * size)
    return [(CutResult(cut.row, digest=digest, note=photo.note, uniform=uniform), pixels) for cut in cuts]


def _refusal(box: Box, photo_size: Size) -> tuple[str, str]:
    """Why no crop can be cut, and how its detail begins; empty where one can."""
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return "empty box", ""
    width, height = min(right, photo_size[0]) - max(left, 0), min(bottom, photo_size[1]) - max(top, 0)
    if width <= 0 or height <= 0:
        return _OUTSIDE, ""
    if max(width, height) < _SMALLEST:
        return "crop too small", f"{width:.3g} x {height:.3g} pixels, and the longer side needs {_SMALLEST}: "
    return "", ""


def square_crop(photo: Image.Image, box: Box, size: int, to_srgb: ToSrgb | None = None) -> Image.Image | None:
    """The square around the centre of `box`, as long as its longer side, as `size` x `size` pixels.

    What the photo does not cover is padded; nothing is stretched. None where `box` shows less than a pixel of it.
    Colours are converted where there are fewer pixels: in the part of the photo, or once the crop has its size. Since
    profiles of photos have much the same curve as sRGB, mean colours come out the same within a level or two.
    """
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    if right <= 0 or bottom <= 0 or left >= photo.width or top >= photo.height or side > size * max(photo.size):
        return None
    corner_x, corner_y = (left + right - side) / 2, (top + bottom - side) / 2
    seen = (
        max(corner_x, 0),
        max(corner_y, 0),
        min(corner_x + side, photo.width),
        min(corner_y + side, photo.height),
    )
    # Only the visible part is resized, straight to its place, so that no box can ask for a huge canvas.
    scale = size / side
    x0, y0 = round((seen[0] - corner_x) * scale), round((seen[1] - corner_y) * scale)
    x1, y1 = round((seen[2] - corner_x) * scale), round((seen[3] - corner_y) * scale)
    if x1 <= x0 or y1 <= y0:
        return None
    if to_srgb is not None and (seen[2] - seen[0]) * (seen[3] - seen[1]) < (x1 - x0) * (y1 - y0):
        photo, seen = _part(photo, seen)
        photo, to_srgb = to_srgb(photo), None
    visible = photo.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=seen, reducing_gap=2.0)
    if to_srgb is not None:
        visible = to_srgb(visible)
    if visible.size == (size, size) and visible.mode == "RGB":
        return visible
    crop = Image.new("RGB", (size, size), _PADDING)
    crop.paste(visible, (x0, y0))
    return crop


def _part(photo: Image.Image, box: Box) -> tuple[Image.Image, Box]:
    """The part of the photo that enlarging `box` reads, one pixel around it included, and the box within that part."""
    left, top = max(math.floor(box[0]) - 2, 0), max(math.floor(box[1]) - 2, 0)
    right, bottom = min(math.ceil(box[2]) + 2, photo.width), min(math.ceil(box[3]) + 2, photo.height)
    return photo.crop((left, top, right, bottom)), (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
