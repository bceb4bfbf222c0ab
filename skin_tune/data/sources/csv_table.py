"""CSV tables ``path,label`` and, if known, a subject, a box, a split, and whom the photo shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skin_tune.data.pack.subject_split import split_name
from skin_tune.data.sources.boxes import BadBoxError, are_shares, box_columns, unread_box_columns
from skin_tune.data.sources.classes import is_missing
from skin_tune.data.sources.files import Progress, storable
from skin_tune.data.sources.labelled import LabelledPhoto, add_rows
from skin_tune.data.sources.manifest import Box, Manifest, Quarantined
from skin_tune.data.sources.photo_paths import NoPhotoError, PhotoFinder
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.data.sources.table_file import Table, read_table
from skin_tune.errors import SourceError
from skin_tune.storage.photo_columns import ABOUT
from skin_tune.text.grades import number_of


def read_csv(request: PrepareRequest, on_file: Progress = lambda count: None) -> Manifest:
    """The photos of the request's tables, which are merged.

    Paths are relative to ``--images``, if given, or to their table. Raises SourceError for a file that is no such
    table.
    """
    manifest = Manifest(classes={})
    files = request.distinct_sources
    photos: list[LabelledPhoto] = []
    for file in files:
        photos += _photos_of(file, f"{file}:" if len(files) > 1 else "", request, manifest, on_file)
    add_rows(manifest, photos, request)
    return manifest


@dataclass(frozen=True)
class _Row:
    """One row of a table, with what its columns are known to mean."""

    number: int
    """From 1, without the header."""
    path: str
    grade: str
    subject: str
    box: Box | BadBoxError | None
    about: dict[str, Any]
    split: str
    extra: bool
    """Whether it has more cells than the header."""


def _photos_of(
    file: Path, prefix: str, request: PrepareRequest, manifest: Manifest, on_file: Progress
) -> list[LabelledPhoto]:
    table = read_table(file, [request.path_column or "path", request.label_column or "label"])
    if table.encoding == "cp949":
        manifest.notes.append(f"{file.name} is no UTF-8: read as cp949, as Korean Windows writes it")
    finder = PhotoFinder(file.absolute().parent, request.images)
    rows, relative = _rows(table, request, manifest)
    photos = []
    for row in rows:
        on_file(row.number)
        manifest.read += 1
        source = storable(prefix + row.path)
        try:
            photo = _usable_photo(row, finder)
        except NoPhotoError as error:
            reason, detail = error.args
            manifest.quarantined.append(Quarantined(request.regions, source, reason, storable(detail)))
            continue
        box = row.box if isinstance(row.box, tuple) else None
        photos.append(
            LabelledPhoto(photo, source, row.path, row.grade, row.subject, box, relative, row.about, row.split)
        )
    return photos


def _usable_photo(row: _Row, finder: PhotoFinder) -> Path:
    """The photo of a row. Raises NoPhotoError for a row that cannot be used."""
    if not row.path.strip():
        raise NoPhotoError("row has no path", f"row {row.number}")
    if row.extra:
        raise NoPhotoError("row has more cells than the header", f"row {row.number}")
    if isinstance(row.box, BadBoxError):
        raise NoPhotoError("box is not four numbers", str(row.box))
    return finder.find(row.path)


def _rows(table: Table, request: PrepareRequest, manifest: Manifest) -> tuple[list[_Row], bool]:
    """The rows of a table, and whether their boxes are in shares of the photo."""
    path = table.require(request.path_column or "path", "--path-column")
    label = table.require(request.label_column or "label", "--label-column")
    subject = table.find("subject")
    if request.subject_column is not None:
        subject = table.require(request.subject_column, "--subject-column")
    boxes, box_names, relative = _boxes(table, manifest)
    about, splits = _about(table, manifest), _splits(table, manifest)
    read = {path, label, subject, *(table.find(name) for name in ("split", *ABOUT, *box_names))}
    if unread := [name for place, name in enumerate(table.columns) if name and place not in read]:
        manifest.notes.append(f"columns of {table.file.name} that are not read: {', '.join(unread)}")
    rows = [
        _Row(
            number=place + 1,
            path=cells[path],
            grade=table.number_text(cells[label]),
            subject=cells[subject] if subject is not None else "",
            box=boxes[place],
            about=about[place],
            split=splits[place],
            extra=any(cell.strip() for cell in cells[len(table.columns) :]),
        )
        for place, cells in enumerate(table.rows)
    ]
    return rows, relative


def _boxes(table: Table, manifest: Manifest) -> tuple[list[Box | BadBoxError | None], tuple[str, ...], bool]:
    """The box of each row, the columns they are read from, and whether they are in shares of the photo."""
    columns = box_columns(table)
    if columns is None:
        if unread := unread_box_columns(table):
            manifest.warnings.append(
                f"column {', '.join(unread)} of {table.file.name} is not read: "
                "a box is left,top,right,bottom or x,y,w,h, in pixels or in shares of the photo"
            )
        return [None] * len(table.rows), (), False
    boxes: list[Box | BadBoxError | None] = []
    for cells in table.rows:
        try:
            boxes.append(columns.box(cells))
        except BadBoxError as error:
            boxes.append(error)
    relative = are_shares([box for box in boxes if isinstance(box, tuple)])
    if columns.is_size:
        manifest.notes.append(f"boxes {','.join(columns.names)} were taken for the left top corner, width and height")
    if relative:
        manifest.notes.append("boxes between 0 and 1 were taken for shares of the photo's width and height")
    return boxes, columns.names, relative


def _about(table: Table, manifest: Manifest) -> list[dict[str, Any]]:
    """The ABOUT columns of each row."""
    places = {name: place for name in ABOUT if (place := table.find(name)) is not None}
    rows: list[dict[str, Any]] = []
    no_ages: list[str] = []
    for cells in table.rows:
        known: dict[str, Any] = {name: cells[place].strip() for name, place in places.items()}
        known = {name: word for name, word in known.items() if not is_missing(word)}
        if "age" in known:
            age = number_of(table.number_text(known["age"]))
            if age is None:
                no_ages.append(known.pop("age"))
            else:
                known["age"] = age
        rows.append(known)
    if no_ages:
        manifest.warnings.append(f"{len(no_ages)} ages are no numbers, such as {no_ages[0][:40]!r}: taken for unknown")
    return rows


def _splits(table: Table, manifest: Manifest) -> Sequence[str]:
    """The split each row gives, empty where it gives none. Raises SourceError where only some words are splits."""
    place = table.find("split")
    words = [cells[place].strip() for cells in table.rows] if place is not None else []
    unknown = sorted({word for word in words if not is_missing(word) and split_name(word) is None})
    splits = [split_name(word) or "" for word in words]
    if not any(splits):
        if unknown:
            manifest.warnings.append(
                f"column split of {table.file.name} is not read: {', '.join(unknown[:3])} is none of train, val, test"
            )
        return [""] * len(table.rows)
    if unknown:
        raise SourceError(f"{str(table.file)!r} has split {unknown[0]!r}, which is none of train, val, test")
    return splits
