"""Raw data as the user has it, read into a manifest: one row per labelled crop.

Three formats: an AI-Hub tree, class folders, and a CSV. Each reader only lists files and reads labels; photos are
opened later, once each, by `crops`.
"""

import csv
import math
import os
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skin_tune.errors import SourceError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff"}
# Photos that cannot be read are listed all the same, so that they end in quarantine and are not overlooked.
IMAGE_SUFFIXES |= {".gif", ".heic", ".heif", ".avif", ".jp2"}
PHOTO_NAME = re.compile(r"(?P<subject>\w+?)_(?P<device>0[1-3])_(?P<angle>[A-Z][a-z]?\d*)(?:_(?P<part>\d{2}))?")

Box = tuple[float, float, float, float]
Progress = Callable[[int], None]
OnError = Callable[[OSError], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled crop. `label` indexes the region's classes; a box is (left, top, right, bottom) in pixels."""

    region: str
    photo: Path
    source: str
    label: int
    subject: str
    box: Box | None = None
    mirrored: bool = False
    device: str = ""
    angle: str = ""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One row that cannot be used, and why. An empty `region` stands for every region asked for."""

    region: str
    source: str
    reason: str
    detail: str = ""


@dataclass
class Manifest:
    """What a source holds for the regions asked for."""

    classes: dict[str, list[str]]
    """Class names in ordinal order, per region."""
    rows: list[Row] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    not_visible: Counter[str] = field(default_factory=Counter)
    """Labels without a box or a grade, per region: normal in turned views, and no fault of the data."""
    warnings: list[str] = field(default_factory=list)

    def unreadable_folder(self, error: OSError) -> None:
        """Quarantine a folder that cannot be listed."""
        self.quarantined.append(
            Quarantined("", storable(str(error.filename)), "unreadable folder", error.strerror or "")
        )


def ordinal_classes(names: Iterable[str]) -> list[str]:
    """Class names in order: whole numbers as numbers with no gap between lowest and highest, other names by alphabet.

    A grade that has no image keeps its place, so that the others keep their meaning. A number below 0 is no grade.
    """
    distinct = set(names)
    numbers = {name: whole_number(name) for name in distinct}
    if all(number is not None and number < 1000 for number in numbers.values()):
        grades = [number for number in numbers.values() if number is not None and number >= 0] or [0]
        return [str(grade) for grade in range(min(grades), max(grades) + 1)]
    return sorted(distinct, key=lambda name: (numbers[name] is None, numbers[name] or 0, name))


def whole_number(name: str) -> int | None:
    """The whole number that a class name stands for: 02 and 2.0 are the grade 2. None for any other name."""
    try:
        number = float(name)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def storable(text: str) -> str:
    """`text` as valid Unicode: the bytes of a file name that is not UTF-8 are spelled out, as in ``\\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()


def inside(root: Path, relative: str) -> Path | None:
    """`root / relative` with links followed, or None where that leaves `root`."""
    try:
        path = (root / relative).resolve()
    except (ValueError, OSError, RuntimeError):  # a NUL byte, a loop of links
        return None
    return path if path.is_relative_to(root.resolve()) else None


def leaves_root(root: Path, found: Path) -> bool:
    """Whether a file that `files_under` found lies elsewhere: only a link can, since linked folders are not entered."""
    return found.is_symlink() and inside(root, str(found.relative_to(root))) is None


def as_box(edges: object) -> Box | None:
    """Four finite numbers as a box, anything else as None."""
    if not isinstance(edges, list | tuple) or len(edges) != 4:
        return None
    if not all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in edges):
        return None
    try:
        left, top, right, bottom = (float(edge) for edge in edges)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return (left, top, right, bottom) if all(map(math.isfinite, (left, top, right, bottom))) else None


def files_under(
    root: Path, on_file: Progress = lambda count: None, on_error: OnError = lambda error: None
) -> Iterator[Path]:
    """Every file below `root` but hidden ones (.DS_Store, ._photo.jpg), in an order that depends on names alone."""
    count = 0
    for folder, folders, names in os.walk(root, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            count += 1
            on_file(count)
            yield Path(folder, name)


@dataclass(frozen=True)
class SubjectRule:
    """How a file name tells its subject."""

    pattern: re.Pattern[str] | None = None

    @classmethod
    def parse(cls, text: str | None) -> "SubjectRule":
        """Raises SourceError for an invalid regular expression."""
        try:
            return cls(re.compile(text) if text is not None else None)
        except re.error as error:
            raise SourceError(f"--subject-pattern {text!r} is not a regular expression: {error}") from None

    def subject(self, path: str) -> str | None:
        """The first group (or the whole match) of the pattern; AI-Hub's subject without one; None where none fits."""
        if self.pattern is None:
            match = PHOTO_NAME.fullmatch(Path(path).stem)
            return match["subject"] if match else None
        match = self.pattern.search(path)
        if match is None:
            return None
        return match.group(min(1, match.re.groups)) or None


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
    classes = known_classes or ordinal_classes(storable(relative.parts[0]) for _, _, relative in found)
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
        match = PHOTO_NAME.fullmatch(path.stem)
        manifest.rows.append(
            Row(
                region=region,
                photo=path,
                source=source,
                label=label,
                subject=subject or source,
                device=match["device"] if match else "",
                angle=match["angle"] if match else "",
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


def class_index(name: str, classes: list[str]) -> int | None:
    """Where class `name` stands among `classes`; 02 and 2.0 are the grade 2. None if it is none of them."""
    number = whole_number(name)
    text = name if name in classes or number is None else str(number)
    return classes.index(text) if text in classes else None


def grade_out_of_range(region: str, source: str, grade: object, classes: list[str]) -> Quarantined:
    return Quarantined(
        region, source, "grade out of range", f"{reprlib.repr(grade)} is not one of {', '.join(classes)}"
    )


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
