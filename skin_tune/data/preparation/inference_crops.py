"""Photos to be graded: found, and cut as `prepare` would cut them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skin_tune.data.preparation.cutting import cut_all
from skin_tune.data.preparation.places import CropFile
from skin_tune.data.sources.aihub_label import BadLabelError, Label, read_label
from skin_tune.data.sources.files import IMAGE_SUFFIXES, files_under, leaves_roots
from skin_tune.data.sources.manifest import Box, Row, as_box
from skin_tune.errors import SourceError
from skin_tune.regions import CATALOGUE, View
from skin_tune.storage.scratch import ScratchFolder, remove_abandoned

_SIDES = {"l_": "left", "r_": "right"}
_REGION = "photos"
"""The name under which `cut_all` is given them."""


@dataclass(frozen=True)
class Wanted:
    """One crop to grade, or the `reason` why there can be none."""

    photo: Path
    part: str = ""
    """`left` or `right` where the region has two sides."""
    box: Box | None = None
    """None: the whole image is the crop."""
    mirrored: bool = False
    reason: str = ""


def find_photos(given: Sequence[Path]) -> list[Path]:
    """The images among files and folders, each once; folders are searched with what is below them.

    Raises SourceError for what does not exist and for a folder without an image.
    """
    found: dict[Path, Path] = {}
    for path in given:
        if os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises for a name that is too long
            images = [file for file in files_under(path) if file.suffix.lower() in IMAGE_SUFFIXES]
            if not images:
                raise SourceError(f"folder {str(path)!r} holds no image")
        elif os.path.isfile(path):  # noqa: PTH113
            images = [path]
        elif os.path.exists(path):  # noqa: PTH110
            raise SourceError(f"photo {str(path)!r} is not a regular file but a pipe, a socket or a device")
        else:
            raise SourceError(f"photo {str(path)!r} does not exist")
        for image in images:
            found.setdefault(image.resolve(), image)
    return list(found.values())


def wanted_crops(photos: Sequence[Path], region: str, labels: Path | None = None) -> list[Wanted]:
    """The crops of each photo: its region's boxes where AI-Hub label files name them, else the whole image.

    Label files are named after their photo, ``<photo>_<facepart>.json``, and lie beside it or below `labels`; with
    `labels` no photo is taken as it is. Raises SourceError for `labels` that are no folder or do not go with `region`.
    """
    known = CATALOGUE.get(region)
    if labels is not None and not labels.is_dir():
        raise SourceError(f"--labels {str(labels)!r} is not a folder")
    if known is None:
        if labels is not None:
            raise SourceError(f"--labels goes with regions of the catalogue, and the model grades {region!r}")
        return [Wanted(photo) for photo in photos]
    given = _by_photo(files_under(labels), labels) if labels is not None else {}
    beside = cache(lambda folder: _by_photo(_files_in(folder)))
    wanted: list[Wanted] = []
    for photo in photos:
        files = given.get(photo.stem) or beside(photo.parent).get(photo.stem)
        if files:
            wanted += _labelled(photo, files, region, known.views)
        elif labels is not None:
            wanted.append(Wanted(photo, reason=f"no label file {photo.stem}_<facepart>.json"))
        else:
            wanted.append(Wanted(photo))
    return wanted


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # a folder whose files may be read, but not listed
        return []


def _by_photo(files: Iterable[Path], root: Path | None = None) -> dict[str, list[Path]]:
    """Label files by the name, without suffix, of the photo that their own name begins with."""
    found: dict[str, list[Path]] = {}
    for file in files:
        photo, _, facepart = file.stem.rpartition("_")
        if file.suffix.lower() == ".json" and facepart.isdigit() and not (root and leaves_roots(file, [root])):
            found.setdefault(photo, []).append(file)
    return found


def _labelled(photo: Path, files: list[Path], region: str, views: tuple[View, ...]) -> list[Wanted]:
    labels: dict[int, Label] = {}
    bad = ""
    for file in files:
        try:
            label = read_label(file)
        except BadLabelError as error:
            bad = f"label file {file.name}: {error.args[0]}"
            continue
        if Path(label.photo).stem == photo.stem:
            labels.setdefault(label.facepart, label)
    seen = [view for view in views if view.facepart in labels and labels[view.facepart].box is not None]
    if not seen:
        return [Wanted(photo, reason=bad or f"its label files have no box of {region}")]
    return [_boxed(photo, labels[view.facepart], view) for view in seen]


def _boxed(photo: Path, label: Label, view: View) -> Wanted:
    part, box = _SIDES.get(view.key[:2], ""), as_box(label.box)
    if box is None:
        return Wanted(photo, part, reason="box is not four numbers")
    return Wanted(photo, part, box, view.mirrored)


@contextmanager
def cut_crops(
    wanted: Sequence[Wanted], size: int, on_photo: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[tuple[npt.NDArray[np.uint8], list[str]]]:
    """Yield pixels uint8 [N, size, size, 3] and, for each crop, why it could not be cut; empty where it could.

    They are on disk, and only as long as the context lasts. None of `wanted` may have a reason already. `on_photo` is
    called with photos done and in all.
    """
    # A label is what is asked for; cutting does not look at it.
    rows = [Row(_REGION, crop.photo, "", label=-1, subject="", box=crop.box, mirrored=crop.mirrored) for crop in wanted]
    remove_abandoned()
    with ScratchFolder("crops") as folder:
        staging = folder / "crops"
        results = cut_all(rows, {_REGION: CropFile(staging, gapless=False)}, size, on_photo)
        reasons = [": ".join(filter(None, (result.reason, result.detail))) for result in results]
        yield np.memmap(staging, dtype=np.uint8, mode="r", shape=(len(rows), size, size, 3)), reasons
