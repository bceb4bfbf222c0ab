"""The AI-Hub tree (data set 71645): a tree of label JSON files and one of photos that mirror each other."""

import json
import re
import reprlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skin_tune.data.files import (
    IMAGE_SUFFIXES,
    PHOTO_NAME,
    PHOTO_SUFFIXES,
    Progress,
    files_under,
    is_special,
    leaves_root,
    storable,
    view_of,
)
from skin_tune.data.manifest import Manifest, Quarantined, Row, as_box, grade_out_of_range
from skin_tune.regions import Region, View

Targets = dict[int, list[tuple[Region, View]]]


@dataclass(frozen=True)
class Label:
    """What one label file says, as found: neither box nor grades have been checked."""

    facepart: int
    box: Any
    grades: dict[str, Any]
    photo: str
    """File name of the photo it is of."""
    subject: str


class BadLabelError(Exception):
    """A label file that cannot be used; its two arguments are the reason and its detail."""


def read_label(label_file: Path) -> Label:
    """Read one label file. Raises BadLabelError for one that cannot be read or is no label."""
    name = PHOTO_NAME.fullmatch(label_file.stem)
    try:
        if is_special(label_file):
            raise BadLabelError("not a regular file", f"{label_file.name} is a pipe, a socket or a device")
        label = json.loads(label_file.read_bytes())
        facepart, box = int(label["images"]["facepart"]), label["images"]["bbox"]
        grades, info = dict(label.get("annotations") or {}), label.get("info") or {}
        photo = str(info.get("filename") or f"{label_file.stem.rpartition('_')[0]}.jpg")
        subject = storable(str(info.get("id") or (name["subject"] if name else "")))
    except OSError as error:
        raise BadLabelError("unreadable label file", error.strerror or str(error)) from None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadLabelError("bad JSON", f"{type(error).__name__}: {error}") from None
    return Label(facepart, box, grades, photo, subject)


def read_aihub(
    roots: Sequence[Path],
    images: Path | None,
    regions: Sequence[Region],
    on_file: Progress = lambda count: None,
    on_label: Callable[[int, int], None] = lambda done, total: None,
) -> Manifest:
    """One row per (photo, region, side) with a box and a grade.

    Photos are looked up by name, under `images` if given, else under the root their label is in.
    """
    manifest = Manifest(classes={region.name: [str(grade) for grade in range(region.classes)] for region in regions})
    targets: Targets = {}
    for region in regions:
        for view in region.views:
            targets.setdefault(view.facepart, []).append((region, view))
    photos_elsewhere = _listing(images, on_file, manifest)[1] if images is not None else {}
    for root in roots:
        total, photos = _listing(root, on_file, manifest)
        for done, label_file in enumerate(filter(_is_label, files_under(root)), start=1):
            source = storable(str(label_file if len(roots) > 1 else label_file.relative_to(root)))
            if leaves_root(root, label_file):
                manifest.quarantined.append(Quarantined("", source, "path leaves its root"))
            elif images is not None:
                _read_label(label_file, source, images, photos_elsewhere, targets, manifest)
            else:
                _read_label(label_file, source, root, photos, targets, manifest)
            on_label(done, total)
    _drop_repeats(manifest)
    return manifest


def _is_label(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _listing(root: Path, on_file: Progress, manifest: Manifest) -> tuple[int, dict[str, Path]]:
    """How many label files are below `root`, and its photos by their name with and without suffix."""
    labels = 0
    photos: dict[str, Path] = {}
    for path in files_under(root, on_file, manifest.unreadable_folder):
        labels += _is_label(path)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            photos.setdefault(path.name, path)
            known = photos.setdefault(path.stem, path)
            if known.suffix.lower() not in PHOTO_SUFFIXES and path.suffix.lower() in PHOTO_SUFFIXES:
                photos[path.stem] = path  # not the raw file or the film beside a photo
    return labels, photos


def _read_label(
    label_file: Path, source: str, photo_root: Path, photos: dict[str, Path], targets: Targets, manifest: Manifest
) -> None:
    def quarantine(reason: str, detail: str = "", regions: Iterable[str] = ("",)) -> None:
        manifest.quarantined.extend(Quarantined(region, source, reason, detail[:200]) for region in regions)

    try:
        label = read_label(label_file)
    except BadLabelError as error:
        return quarantine(*error.args)
    graded: list[tuple[Region, View]] = []
    for region, view in targets.get(label.facepart, ()):
        grade = label.grades.get(view.key)
        if label.box is None or grade is None:
            manifest.not_visible[region.name] += 1
        elif not _is_grade(grade, region):
            manifest.quarantined.append(grade_out_of_range(region.name, source, grade, manifest.classes[region.name]))
        else:
            graded.append((region, view))
    names = [region.name for region, _ in graded]
    if not label.subject:
        return quarantine("no subject", "neither info.id nor the file name tells it", names)
    if re.search(r"[/\\\0]", label.photo) or label.photo == "..":
        return quarantine("path leaves its root", f"info.filename is {label.photo!r}", names)
    photo = photos.get(label.photo) or photos.get(Path(label.photo).stem)
    if photo is None:
        return quarantine("missing photo", label.photo, names)
    if leaves_root(photo_root, photo):
        return quarantine("path leaves its root", str(photo.relative_to(photo_root)), names)
    edges = as_box(label.box)
    if edges is None:
        return quarantine("box is not four numbers", reprlib.repr(label.box), names)
    for region, view in graded:
        manifest.rows.append(
            Row(
                region=region.name,
                photo=photo,
                source=f"{source}#{view.key}",
                label=int(label.grades[view.key]),
                subject=label.subject,
                box=edges,
                mirrored=view.mirrored,
                about=view_of(photo),
            )
        )
    return None


def _is_grade(grade: Any, region: Region) -> bool:
    return isinstance(grade, int | float) and not isinstance(grade, bool) and grade in range(region.classes)


def _drop_repeats(manifest: Manifest) -> None:
    """Keep one of the labels that say the same of one (photo, region, side); quarantine those that disagree."""
    key_of = [(row.photo, row.source.rpartition("#")[2]) for row in manifest.rows]
    grades: dict[tuple[Path, str], set[int]] = {}
    for key, row in zip(key_of, manifest.rows, strict=True):
        grades.setdefault(key, set()).add(row.label)
    kept: dict[tuple[Path, str], Row] = {}
    for key, row in zip(key_of, manifest.rows, strict=True):
        if len(grades[key]) > 1:
            detail = ", ".join(str(grade) for grade in sorted(grades[key]))
            manifest.quarantined.append(Quarantined(row.region, row.source, "same image with different grades", detail))
        else:
            kept.setdefault(key, row)
    manifest.rows = list(kept.values())
