"""Embedded colour profiles: which of them change colours, and the way from their colours to sRGB."""

import io
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
"""The colour space a profile must be of, per Pillow mode."""
_NO_PHOTO = {"link", "abst", "nmcl"}
"""Profile classes that do not describe the colours of a picture."""
_SAME = 2
"""Levels by which a profile may differ from sRGB before a photo is converted: what rounding makes of sRGB itself."""


class BadProfileError(ValueError):
    """A profile that cannot be read, or is of another colour space than its photo."""


@lru_cache(maxsize=32)
def to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of pixels of `mode` (RGB, L, CMYK) to 8-bit sRGB; None where they are sRGB already.

    Colours are kept as they were measured (relative colorimetric), not fitted to a look. Raises BadProfileError.
    """
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space != _SPACES.get(mode) or opened.profile.device_class in _NO_PHOTO:
            raise BadProfileError(f"a profile of {opened.profile.xcolor_space.strip()} does not fit {mode} pixels")
        transform = ImageCms.buildTransform(
            opened, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (OSError, ImageCms.PyCMSError) as error:
        raise BadProfileError(str(error)) from None
    return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform


def converted(image: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    """`image` in sRGB."""
    return image if transform is None else transform.apply(image)


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
