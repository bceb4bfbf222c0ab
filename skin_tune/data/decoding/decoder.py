"""Photo files to upright pixels: every format is opened, checked and decoded here, and nowhere else."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from skin_tune.data.decoding.colour import BadProfileError, ToSrgb, to_srgb
from skin_tune.data.decoding.formats import HEAD, advice, container_turns, raw_by_name, readable_formats, unread_format
from skin_tune.data.decoding.pixel_formats import colour_kind, eight_bits, flat, scale_transparent_colour
from skin_tune.data.sources.files import is_special
from skin_tune.data.sources.manifest import Box

Size = tuple[int, int]
"""Width and height in pixels."""

BAD_PROFILE = "colour profile not readable"
"""Note on a photo whose colours are taken for sRGB for want of anything better."""

_ORIENTATION = 0x0112
_UPRIGHT = {  # EXIF orientation: what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_limit_lock = Lock()


class UnusablePhotoError(Exception):
    """A file no crop can be cut from: `reason` and `detail`, as the quarantine tells them."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Photo:
    """An upright photo without alpha, perhaps shrunk while decoding."""

    pixels: Image.Image
    """RGB; L or CMYK where a profile tells how those become sRGB."""
    size: Size
    """True size of the upright photo."""
    to_srgb: ToSrgb | None
    """How `pixels`, or a part of them, resized or not, become sRGB; None where they are."""
    note: str

    def decoded_box(self, box: Box) -> Box:
        """`box`, given in pixels of the true size, in those of `pixels`."""
        x, y = self.pixels.width / self.size[0], self.pixels.height / self.size[1]
        return (box[0] * x, box[1] * y, box[2] * x, box[3] * y)

    def in_srgb(self) -> "Photo":
        """The same photo with its pixels converted."""
        return self if self.to_srgb is None else replace(self, pixels=self.to_srgb(self.pixels.copy()), to_srgb=None)


def open_photo(path: Path, shortest: Callable[[Size], float], size: int, max_megapixels: int) -> Photo:
    """Decode the first picture (HEIF: the primary one) of a file.

    `shortest` gives, for the true size of the upright photo, the side of the smallest crop to be cut from it: it is
    not shrunk below `size` pixels. Raises UnusablePhotoError.
    """
    try:
        if is_special(path):
            raise UnusablePhotoError("not a regular file", f"{path.name} is a pipe, a socket or a device")
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
            return _decode(file, path, shortest, size, max_megapixels)
    except UnusablePhotoError:
        raise
    except FileNotFoundError:
        raise UnusablePhotoError("missing photo", path.name) from None
    except Image.DecompressionBombError:
        raise _too_large(f"more than {2 * max_megapixels}", max_megapixels) from None
    except UnidentifiedImageError:
        raise UnusablePhotoError("unreadable image", "not an image file") from None
    except Exception as error:  # Pillow's decoders raise whatever they meet in a broken file
        raise UnusablePhotoError("unreadable image", str(error)[:200]) from None


def _decode(file: BinaryIO, path: Path, shortest: Callable[[Size], float], size: int, max_megapixels: int) -> Photo:
    head = file.read(HEAD)
    if name := unread_format(file, head, path.suffix):
        raise UnusablePhotoError("format not read", advice(name, path.suffix))
    try:
        opened = _open(file, head, max_megapixels)
    except UnidentifiedImageError:
        if head and (name := raw_by_name(path)):
            raise UnusablePhotoError("format not read", advice(name, path.suffix)) from None
        raise
    with opened:
        kind = colour_kind(opened)
        scale_transparent_colour(opened)
        orientation = _orientation(opened, file)
        true_size = _turned(opened.size, orientation)
        _shrink(opened, shortest(true_size), size)
        opened.load()
        convert, note = _profile(opened, kind)
        pixels = flat(eight_bits(opened), kind if convert is not None else "RGB")
    if orientation in _UPRIGHT:
        pixels = pixels.transpose(_UPRIGHT[orientation])
    return Photo(pixels, true_size, convert, note)


def _open(file: BinaryIO, head: bytes, max_megapixels: int) -> ImageFile.ImageFile:
    """The file with its header read, and no pixel. Raises UnusablePhotoError for what is too large."""
    formats = readable_formats(head)
    if "HEIF" in formats:
        _register_heif()
    with _pillow_limit(max_megapixels):
        opened = Image.open(file, formats=formats)
    width, height = opened.size
    if width * height > max_megapixels * 1_000_000:
        opened.close()
        raise _too_large(f"{width} x {height} pixels are {width * height / 1e6:.1f}", max_megapixels)
    return opened


@contextmanager
def _pillow_limit(max_megapixels: int) -> Iterator[None]:
    """Have Pillow refuse headers above twice `max_megapixels`, and leave its limit to others as it was."""
    with _limit_lock:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = max_megapixels * 1_000_000
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _too_large(size: str, max_megapixels: int) -> UnusablePhotoError:
    return UnusablePhotoError("decompression bomb", f"{size} megapixels, and --max-megapixels is {max_megapixels}")


@cache
def _register_heif() -> None:
    from pillow_heif import register_heif_opener  # loads libheif and a codec, which most sources have no need of

    # A thumbnail must never stand for its photo, and depth maps are not looked at.
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def _orientation(opened: ImageFile.ImageFile, file: BinaryIO) -> int:
    """The EXIF orientation that is left to turn by: some readers turn a picture themselves."""
    if opened.format == "TIFF":  # turned by Pillow while it loads
        return 1
    if opened.format == "HEIF":  # turned by libheif where the container says so; the tag alone turns nothing
        return 1 if container_turns(file) else opened.info.get("original_orientation") or 1
    return opened.getexif().get(_ORIENTATION, 1)


def _turned(size: Size, orientation: int) -> Size:
    return (size[1], size[0]) if orientation in (5, 6, 7, 8) else size


def _shrink(opened: ImageFile.ImageFile, shortest: float, size: int) -> None:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 where no crop loses by it."""
    if opened.format not in ("JPEG", "MPO"):  # HEIF would give its thumbnail
        return
    width, height = opened.size
    factor = max(factor for factor in (1, 2, 4, 8) if factor == 1 or shortest / factor >= size)
    opened.draft("RGB", (width // factor, height // factor))


def _profile(opened: ImageFile.ImageFile, kind: str) -> tuple[ToSrgb | None, str]:
    """How the pixels become sRGB, and a note where a profile there is cannot tell."""
    if "icc_profile" not in opened.info:
        return None, ""
    profile = opened.info["icc_profile"]
    try:  # it is None where Pillow could not put it together, and anything at all in a TIFF
        return to_srgb(profile if isinstance(profile, bytes) else b"", kind), ""
    except BadProfileError:
        return None, BAD_PROFILE
