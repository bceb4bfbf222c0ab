"""Photos to square crops, every photo decoded once, all cores at work."""

import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from skin_tune.data.manifest import Box, Row
from skin_tune.data.pack import image_digest
from skin_tune.errors import SourceError

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")  # JPEG's opener takes MPO too
_PADDING = (124, 116, 104)
"""ImageNet's mean colour: what is outside the photo becomes zero in the network's input."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One crop to make: which row it is, and where in the region's staging file it goes."""

    row: int
    staging: Path
    slot: int
    box: Box | None
    mirrored: bool


@dataclass(frozen=True, slots=True)
class CutResult:
    """`digest` of the crop's pixels, or the reason why there is none."""

    row: int
    digest: bytes = b""
    reason: str = ""
    detail: str = ""
    uniform: bool = False
    """Whether the crop is of one colour alone."""


def cut_all(
    rows: Sequence[Row], staging: dict[str, Path], size: int, on_photo: Callable[[int, int], None]
) -> list[CutResult]:
    """Cut the crop of every row into its region's staging file; results are in the order of `rows`.

    A staging file is raw uint8, the n-th row of a region at offset ``n * size * size * 3``.
    """
    cuts_of: dict[Path, list[Cut]] = {}
    slots = dict.fromkeys(staging, 0)
    for index, row in enumerate(rows):
        cut = Cut(index, staging[row.region], slots[row.region], row.box, row.mirrored)
        cuts_of.setdefault(row.photo, []).append(cut)
        slots[row.region] += 1
    for region, path in staging.items():
        with path.open("wb") as file:
            file.truncate(slots[region] * size * size * 3)
    results: list[CutResult] = []
    with closing(_cut_photos(list(cuts_of.items()), size)) as photos:  # stops the processes, whatever happens
        for done, photo_results in enumerate(photos, start=1):
            results.extend(photo_results)
            on_photo(done, len(cuts_of))
    return sorted(results, key=lambda result: result.row)


def _cut_photos(jobs: list[tuple[Path, list[Cut]]], size: int) -> Generator[list[CutResult]]:
    workers = min(available_cpus(), len(jobs) // 32)
    if workers < 2:  # starting a process takes as long as a few dozen photos
        yield from (cut_photo(job, size) for job in jobs)
        return
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            # Ctrl-C reaches the workers too. They start with it blocked, so that only this process stops and cleans up.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                results = pool.map(partial(cut_photo, size=size), jobs, chunksize=8)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            yield from results
    except BrokenProcessPool:
        raise SourceError(
            "a process that cuts photos was killed, perhaps for want of memory; nothing was written"
        ) from None


def available_cpus() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cut_photo(job: tuple[Path, list[Cut]], size: int) -> list[CutResult]:
    """Decode one photo and write each of its crops into its slot."""
    path, cuts = job
    try:
        photo, scale = _decode(path, [cut.box for cut in cuts], size)
    except FileNotFoundError:
        return [CutResult(cut.row, reason="missing photo", detail=path.name) for cut in cuts]
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return [CutResult(cut.row, reason="decompression bomb", detail=str(error)[:200]) for cut in cuts]
    except UnidentifiedImageError:
        return [CutResult(cut.row, reason="unreadable image", detail="not an image file") for cut in cuts]
    except Exception as error:  # Pillow's decoders raise whatever they meet in a broken file
        return [CutResult(cut.row, reason="unreadable image", detail=str(error)[:200]) for cut in cuts]
    alike: dict[tuple[Box | None, bool], list[Cut]] = {}
    for cut in cuts:
        alike.setdefault((cut.box, cut.mirrored), []).append(cut)
    return [result for group in alike.values() for result in _cut(photo, scale, group, size)]


def _decode(path: Path, boxes: Sequence[Box | None], size: int) -> tuple[Image.Image, tuple[float, float]]:
    """The upright RGB photo, perhaps shrunk while decoding, and the scale from its true size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=_FORMATS) as opened:
            if opened.mode.startswith(("I", "F")):
                raise ValueError(f"pixel format {opened.mode} is not 8-bit")
            true_width, true_height = opened.size
            smallest = min(_side(box, (true_width, true_height)) for box in boxes)
            shrink = max(factor for factor in (1, 2, 4, 8) if factor == 1 or smallest / factor >= size)
            opened.draft("RGB", (true_width // shrink, true_height // shrink))
            scale_x, scale_y = opened.size[0] / true_width, opened.size[1] / true_height
            opened.load()
            orientation = opened.getexif().get(0x0112, 1)
            photo = opened if orientation == 1 else ImageOps.exif_transpose(opened)
            photo = photo if photo.mode == "RGB" else photo.convert("RGB")  # which would copy the whole photo
    turned = orientation in (5, 6, 7, 8)  # those swap width and height
    return photo, (scale_y, scale_x) if turned else (scale_x, scale_y)


def _side(box: Box | None, photo_size: tuple[int, int]) -> float:
    left, top, right, bottom = box or (0, 0, *photo_size)
    return max(right - left, bottom - top)


def _cut(photo: Image.Image, scale: tuple[float, float], cuts: Sequence[Cut], size: int) -> list[CutResult]:
    """One crop for all of `cuts`, which differ in nothing but the region that is graded on it."""
    cut = cuts[0]
    left, top, right, bottom = (0.0, 0.0, float(photo.width), float(photo.height))
    if cut.box is not None:
        left, top, right, bottom = (edge * scale[axis % 2] for axis, edge in enumerate(cut.box))
    detail = f"box {cut.box} in a photo of {photo.width / scale[0]:.0f} x {photo.height / scale[1]:.0f}"
    if right <= left or bottom <= top:
        return [CutResult(cut.row, reason="empty box", detail=detail) for cut in cuts]
    crop = square_crop(photo, (left, top, right, bottom), size)
    if crop is None:
        return [CutResult(cut.row, reason="box outside the photo", detail=detail) for cut in cuts]
    array = np.asarray(ImageOps.mirror(crop) if cut.mirrored else crop)
    pixels, uniform = array.tobytes(), bool((array == array[0, 0]).all())
    digest = image_digest(pixels)
    for cut in cuts:
        with cut.staging.open("r+b") as file:
            file.seek(cut.slot * len(pixels))
            file.write(pixels)
    return [CutResult(cut.row, digest=digest, uniform=uniform) for cut in cuts]


def square_crop(photo: Image.Image, box: Box, size: int) -> Image.Image | None:
    """The square around the centre of `box`, as long as its longer side, as `size` x `size` pixels.

    What the photo does not cover is padded; nothing is stretched. None where `box` shows less than a pixel of it.
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
    crop = Image.new("RGB", (size, size), _PADDING)
    visible = photo.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=seen, reducing_gap=2.0)
    crop.paste(visible, (x0, y0))
    return crop
