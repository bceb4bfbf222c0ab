"""Embedded colour profiles: which of them change colours, and the way from their colours to sRGB."""

import io
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import product

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
"""The colour space a profile must be of, per Pillow mode."""
_SAME = 2
"""Levels by which a profile may differ from sRGB before a photo is converted: what rounding makes of sRGB itself."""


ToSrgb = Callable[[Image.Image], Image.Image]
"""Gives an image in sRGB; the one it is given may be changed."""


class BadProfileError(ValueError):
    """A profile that cannot be read, or is of another colour space than its photo."""


@lru_cache(maxsize=32)
def to_srgb(profile: bytes, mode: str) -> ToSrgb | None:
    """How pixels of `mode` (RGB, L, CMYK) become 8-bit sRGB; None where they are sRGB already.

    Colours are kept as they were measured (relative colorimetric), not fitted to a look. Raises BadProfileError.
    """
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space != _SPACES.get(mode):
            raise BadProfileError(f"a profile of {opened.profile.xcolor_space.strip()} does not fit {mode} pixels")
        transform = ImageCms.buildTransform(
            opened,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            # Optimized, LittleCMS takes too few steps for grey: dark ones of a linear profile are 10 levels off.
            ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE,
        )
    except (OSError, ImageCms.PyCMSError) as error:
        raise BadProfileError(str(error)) from None
    if mode == "CMYK":
        return transform.apply
    if _changes_nothing(transform, mode):
        return None
    return partial(_by_table, _grey_table(transform)) if mode == "L" else partial(_by_transform, transform)


def _by_transform(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    return transform.apply_in_place(image)  # a second image of as many pixels takes a tenth of the time


def _by_table(table: list[int], image: Image.Image) -> Image.Image:
    return image.point(table).convert("RGB")


def _grey_table(transform: ImageCms.ImageCmsTransform) -> list[int]:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    return list(transform.apply(ramp).getchannel("G").tobytes())


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether sRGB is what goes in, told from colours all over the cube and every grey."""
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colours = greys if mode == "L" else np.concatenate([greys, _cube()])
    given = Image.fromarray(colours[None]).convert(mode)
    difference = np.asarray(transform.apply(given)).astype(int) - colours
    return bool(np.abs(difference).max() <= _SAME)


def _cube() -> npt.NDArray[np.uint8]:
    """Colours [5832, 3]: every combination of 18 levels."""
    return np.array(list(product(range(0, 256, 15), repeat=3)), dtype=np.uint8)
