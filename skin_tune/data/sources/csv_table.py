"""CSV tables ``path,label`` and, if known, a subject, a box, a split, and whom the photo shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skin_tune.about import ABOUT
from skin_tune.data.files import Progress, storable
from skin_tune.data.manifest import Box, Manifest, Quarantined
from skin_tune.data.request import PrepareRequest
from skin_tune.data.sources.boxes import BadBoxError, are_shares, box_columns, unread_box_columns
from skin_tune.data.sources.classes import is_missing
from skin_tune.data.sources.labelled import LabelledPhoto, add_rows
from skin_tune.data.sources.photo_paths import NoPhotoError, PhotoFinder
from skin_tune.data.sources.table_file import Table, read_table
from skin_tune.data.split import split_name
from skin_tune.errors import SourceError
from skin_tune.grades import number_of


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


def _photos_of(
    file: Path, prefix: str, request: PrepareRequest, manifest: Manifest, on_file: Progress
) -> list[LabelledPhoto]:
    path_name, label_name = request.path_column or "path", request.label_column or "label"
    table = read_table(file, [path_name, label_name])
    path, label = table.require(path_name, "--path-column"), table.require(label_name, "--label-column")
    subject = table.find("subject")
    if request.subject_column is not None:
        subject = table.require(request.subject_column, "--subject-column")
    if table.encoding == "cp949":
        manifest.notes.append(f"{file.name} is no UTF-8: read as cp949, as Korean Windows writes it")
    finder = PhotoFinder(file.absolute().parent, request.images)
    boxes, relative = _boxes(table, manifest)
    about, splits = _about(table, manifest), _splits(table, manifest)
    photos = []
    for number, (cells, box) in enumerate(zip(table.rows, boxes, strict=True), start=1):
        on_file(number)
        manifest.read += 1
        source = storable(prefix + cells[path])

        def quarantine(reason: str, detail: str = "", source: str = source) -> None:
            manifest.quarantined.append(Quarantined(request.regions, source, reason, storable(detail)))

        if not cells[path].strip():
            quarantine("row has no path", f"row {number}")
        elif any(cell.strip() for cell in cells[len(table.columns) :]):
            quarantine("row has more cells than the header", f"row {number}")
        elif isinstance(box, BadBoxError):
            quarantine("box is not four numbers", str(box))
        else:
            try:
                photo = finder.find(cells[path])
            except NoPhotoError as error:
                quarantine(*error.args)
                continue
            photos.append(
                LabelledPhoto(
                    photo=photo,
                    source=source,
                    name=cells[path],
                    grade=table.number_text(cells[label]),
                    subject=cells[subject] if subject is not None else "",
                    box=box,
                    relative_box=relative,
                    about=about[number - 1],
                    split=splits[number - 1],
                )
            )
    return photos


def _boxes(table: Table, manifest: Manifest) -> tuple[list[Box | BadBoxError | None], bool]:
    """The box of each row, and whether boxes are in shares of the photo."""
    columns = box_columns(table)
    if columns is None:
        if unread := unread_box_columns(table):
            manifest.warnings.append(
                f"column {', '.join(unread)} of {table.file.name} is not read: "
                "a box is left,top,right,bottom or x,y,w,h, in pixels or in shares of the photo"
            )
        return [None] * len(table.rows), False
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
    return boxes, relative


def _about(table: Table, manifest: Manifest) -> list[dict[str, Any]]:
    """What each row says of its photo, by the columns of ABOUT."""
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
