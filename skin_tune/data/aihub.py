"""The AI-Hub tree (data set 71645): a tree of label JSON files and one of photos that mirror each other."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skin_tune.data.sources import (
    IMAGE_SUFFIXES,
    PHOTO_NAME,
    Manifest,
    Progress,
    Quarantined,
    Row,
    as_box,
    files_under,
    grade_out_of_range,
    inside,
)
from skin_tune.regions import Region, View

Targets = dict[int, list[tuple[Region, View]]]


def read_aihub(roots: Sequence[Path], images: Path | None, regions: Sequence[Region], on_file: Progress) -> Manifest:
    """One row per (photo, region, side) with a box and a grade.

    Photos are looked up by name, under `images` if given, else under the root their label is in.
    """
    manifest = Manifest(classes={region.name: [str(grade) for grade in range(region.classes)] for region in regions})
    targets: Targets = {}
    for region in regions:
        for view in region.views:
            targets.setdefault(view.facepart, []).append((region, view))
    for root in roots:
        labels, photos = _listing(root, on_file)
        photo_root = root
        if images is not None:
            photo_root = images
            photos = _listing(images, on_file)[1]
        for label_file in labels:
            _read_label(label_file, root, photo_root, photos, targets, manifest)
    _drop_repeats(manifest)
    return manifest


def _listing(root: Path, on_file: Progress) -> tuple[list[Path], dict[str, Path]]:
    """Label files below `root`, and photos by their name without suffix."""
    labels: list[Path] = []
    photos: dict[str, Path] = {}
    for path in files_under(root, on_file):
        suffix = path.suffix.lower()
        if suffix == ".json":
            labels.append(path)
        elif suffix in IMAGE_SUFFIXES:
            photos.setdefault(path.stem, path)
    return labels, photos


def _read_label(
    label_file: Path, root: Path, photo_root: Path, photos: dict[str, Path], targets: Targets, manifest: Manifest
) -> None:
    source = str(label_file.relative_to(root))

    def quarantine(reason: str, detail: str = "") -> None:
        manifest.quarantined.append(Quarantined("", source, reason, detail))

    name = PHOTO_NAME.fullmatch(label_file.stem)
    if inside(root, source) is None:
        return quarantine("path leaves its root")
    try:
        label = json.loads(label_file.read_bytes())
        facepart, box = int(label["images"]["facepart"]), label["images"]["bbox"]
        grades, info = label.get("annotations") or {}, label.get("info") or {}
        filename = str(info.get("filename") or f"{label_file.stem.rpartition('_')[0]}.jpg")
        subject = str(info.get("id") or (name["subject"] if name else ""))
        grades = dict(grades)
    except OSError as error:
        return quarantine("unreadable label file", error.strerror or str(error))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return quarantine("bad JSON", f"{type(error).__name__}: {error}"[:200])
    wanted = [(region, view) for region, view in targets.get(facepart, ()) if view.key in grades]
    if facepart in targets and (box is None or not wanted):
        manifest.not_visible.update({region.name for region, _ in targets[facepart]})
    if box is None or not wanted:
        return None
    if not subject:
        return quarantine("no subject", "neither info.id nor the file name tells it")
    if Path(filename).name != filename or inside(photo_root, filename) is None:
        return quarantine("path leaves its root", f"info.filename is {filename!r}")
    photo = photos.get(Path(filename).stem)
    if photo is None:
        return quarantine("missing photo", filename)
    if inside(photo_root, str(photo.relative_to(photo_root))) is None:
        return quarantine("path leaves its root", str(photo.relative_to(photo_root)))
    edges = as_box(box)
    if edges is None:
        return quarantine("box is not four numbers", repr(box)[:200])
    photo_name = PHOTO_NAME.fullmatch(photo.stem)
    for region, view in wanted:
        grade = grades[view.key]
        if grade is None:
            manifest.not_visible[region.name] += 1
        elif not _is_grade(grade, region):
            manifest.quarantined.append(grade_out_of_range(region.name, source, grade, manifest.classes[region.name]))
        else:
            manifest.rows.append(
                Row(
                    region=region.name,
                    photo=photo,
                    source=f"{source}#{view.key}",
                    label=int(grade),
                    subject=subject,
                    box=edges,
                    mirrored=view.mirrored,
                    device=photo_name["device"] if photo_name else "",
                    angle=photo_name["angle"] if photo_name else "",
                )
            )
    return None


def _is_grade(grade: Any, region: Region) -> bool:
    return isinstance(grade, int | float) and not isinstance(grade, bool) and grade in range(region.classes)


def _drop_repeats(manifest: Manifest) -> None:
    """Keep one of the labels that say the same of one (photo, region, side); quarantine those that disagree."""
    key_of = [(row.photo.stem, row.source.rpartition("#")[2]) for row in manifest.rows]
    grades: dict[tuple[str, str], set[int]] = {}
    for key, row in zip(key_of, manifest.rows, strict=True):
        grades.setdefault(key, set()).add(row.label)
    kept: dict[tuple[str, str], Row] = {}
    for key, row in zip(key_of, manifest.rows, strict=True):
        if len(grades[key]) > 1:
            detail = ", ".join(str(grade) for grade in sorted(grades[key]))
            manifest.quarantined.append(Quarantined(row.region, row.source, "same image with different grades", detail))
        else:
            kept.setdefault(key, row)
    manifest.rows = list(kept.values())
