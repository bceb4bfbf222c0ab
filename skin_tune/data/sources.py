"""Class folders and CSV files, read into a manifest; `aihub` reads AI-Hub trees.

Readers only list files and read labels; photos are opened later, once each, by `crops`.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from skin_tune.data.files import (
    IMAGE_SUFFIXES,
    NO_PHOTO_SUFFIXES,
    Progress,
    SubjectRule,
    files_under,
    inside,
    leaves_root,
    storable,
    view_of,
)
from skin_tune.data.manifest import (
    Box,
    Manifest,
    Quarantined,
    Row,
    as_box,
    class_index,
    grade_out_of_range,
    ordinal_classes,
)
from skin_tune.errors import SourceError


def read_folders(
    roots: Sequence[Path], region: str, known_classes: list[str] | None, rule: SubjectRule, on_file: Progress
) -> Manifest:
    """Class folders ``ROOT/<class>/<image>``, several roots merged.

    `known_classes` are the catalogue's, or None to take the folders' names. An image whose subject cannot be told is
    a subject of its own, with a warning, or is quarantined where a pattern was given and does not match.
    """
    found: list[tuple[Path, str, Path]] = []
    manifest = Manifest(classes={})
    for root in roots:
        for path in files_under(root, on_file, manifest.unreadable_folder):
            relative = path.relative_to(root)
            if len(relative.parts) < 2 or path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            source = storable(str(path if len(roots) > 1 else relative))
            if leaves_root(root, path):
                manifest.quarantined.append(Quarantined(region, source, "path leaves its root"))
            else:
                found.append((path, source, relative))
    pictures = [relative for path, _, relative in found if path.suffix.lower() not in NO_PHOTO_SUFFIXES]
    # A folder of nothing but films or documents is no class.
    classes = known_classes or ordinal_classes(storable(relative.parts[0]) for relative in pictures)
    manifest.classes[region] = classes
    alone = 0
    for path, source, relative in found:
        name = storable(relative.parts[0])
        label = class_index(name, classes)
        if label is None:
            manifest.quarantined.append(grade_out_of_range(region, source, name, classes))
            continue
        subject = rule.subject(storable(str(relative)))
        if subject is None and rule.pattern is not None:
            manifest.quarantined.append(Quarantined(region, source, "subject pattern does not match"))
            continue
        alone += subject is None
        manifest.rows.append(
            Row(
                region=region,
                photo=path,
                source=source,
                label=label,
                subject=subject or source,
                about=view_of(path),
            )
        )
    if alone:
        manifest.warnings.append(_leak_warning(alone))
    return manifest


def read_csv(
    files: Sequence[Path],
    region: str,
    known_classes: list[str] | None,
    rule: SubjectRule,
    subject_column: str | None,
    on_file: Progress,
) -> Manifest:
    """CSV files with columns ``path,label`` and, if known, ``subject`` and ``left,top,right,bottom``.

    Paths are relative to their CSV. Raises SourceError for a file that is no such table.
    """
    manifest = Manifest(classes={})
    found: list[tuple[Path, str, str, str, Box | None]] = []
    for file in files:
        for number, record in enumerate(_records(file, subject_column), start=1):
            on_file(number)
            path, text = record["path"] or "", (record["label"] or "").strip()
            source = storable(f"{file}:{path}" if len(files) > 1 else path)
            photo = inside(file.parent, path)
            box_given, box = _csv_box(record)
            if photo is None:
                manifest.quarantined.append(Quarantined(region, source, "path leaves its root"))
            elif not path or not text:
                manifest.quarantined.append(Quarantined(region, source, "row has no path or no label", f"row {number}"))
            elif box_given and box is None:
                manifest.quarantined.append(Quarantined(region, source, "box is not four numbers"))
            else:
                given = (record.get(subject_column or "subject") or "").strip()
                found.append((photo, source, text, given or rule.subject(path) or "", box))
    classes = known_classes or ordinal_classes(text for _, _, text, _, _ in found)
    manifest.classes[region] = classes
    alone = 0
    for photo, source, text, subject, box in found:
        label = class_index(text, classes)
        if label is None:
            manifest.quarantined.append(grade_out_of_range(region, source, text, classes))
        elif not subject and rule.pattern is not None:
            manifest.quarantined.append(Quarantined(region, source, "subject pattern does not match"))
        else:
            alone += not subject
            manifest.rows.append(Row(region, photo, source, label, subject or source, box))
    if alone:
        manifest.warnings.append(_leak_warning(alone))
    return manifest


def _records(file: Path, subject_column: str | None) -> Iterator[dict[str, str]]:
    """The rows of one CSV file."""
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns = reader.fieldnames or []
        for column in ("path", "label", *([subject_column] if subject_column else [])):
            if column not in columns:
                raise SourceError(f"{str(file)!r} has no column {column!r}; it has {', '.join(columns) or 'none'}")
        yield from reader


def _csv_box(record: dict[str, str]) -> tuple[bool, Box | None]:
    """Whether the row gives a box at all, and the box if it is a good one."""
    edges = [(record.get(edge) or "").strip() for edge in ("left", "top", "right", "bottom")]
    try:
        return any(edges), as_box([float(edge) for edge in edges])
    except ValueError:
        return any(edges), None


def _leak_warning(images: int) -> str:
    return (
        f"{images} images name no subject: each counts as its own, and the split may leak "
        "(the same person in train and test); give --subject-column or --subject-pattern"
    )
