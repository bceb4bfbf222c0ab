"""From photos with a grade in words, as class folders and tables have them, to a manifest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from skin_tune.data.pack.layout.field_rules import MAX_CLASSES
from skin_tune.data.sources.classes import class_name, guessed_order, is_missing, ordered_classes
from skin_tune.data.sources.files import SubjectRule, composed
from skin_tune.data.sources.manifest import LEFT_OUT, Box, Manifest, Quarantined, Row, grade_out_of_range
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.errors import SourceError
from skin_tune.regions import CATALOGUE
from skin_tune.text.grades import number_of


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One photo as its source has it: neither grade nor subject has been looked at."""

    photo: Path
    source: str
    name: str
    """Path below its root, which a `SubjectRule` reads."""
    grade: str
    subject: str = ""
    """Empty where the source has no column for it; then `name` may tell."""
    box: Box | None = None
    relative_box: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""


def add_rows(manifest: Manifest, photos: Sequence[LabelledPhoto], request: PrepareRequest) -> None:
    """Fill `manifest` with the classes of the request's region and a row for each photo that has one of them.

    Raises SourceError where there are too many classes to be grades.
    """
    region, rule = request.regions, SubjectRule.parse(request.subject_pattern)
    classes = manifest.classes[region] = _classes(photos, request)
    place = {name: index for index, name in enumerate(classes)}
    unnamed = 0
    for photo in photos:
        label = place.get(class_name(photo.grade))
        subject = "" if is_missing(photo.subject) else composed(photo.subject)
        subject = subject or composed(rule.subject(photo.name) or "")
        if label is None:
            manifest.quarantined.append(_without_class(photo, classes, request))
        elif not subject and rule.pattern is not None:
            manifest.quarantined.append(Quarantined(region, photo.source, "subject pattern does not match"))
        else:
            unnamed += not subject
            row = Row(region, photo.photo, photo.source, label, subject or photo.source, photo.box, about=photo.about)
            manifest.rows.append(replace(row, split=photo.split, relative_box=photo.relative_box))
    manifest.warnings += _warnings(photos, classes, unnamed, request)


def _classes(photos: Sequence[LabelledPhoto], request: PrepareRequest) -> list[str]:
    if request.classes is not None:
        return list(request.classes)
    if known := CATALOGUE.get(request.regions):
        return [str(grade) for grade in range(known.classes)]
    classes = ordered_classes(photo.grade for photo in photos if not is_missing(photo.grade))
    if len(classes) > MAX_CLASSES:
        shown = ", ".join(classes[:3])
        raise SourceError(
            f"{request.regions}: {len(classes)} different grades ({shown}, ...) are measurements, not grades"
        )
    return classes


def _without_class(photo: LabelledPhoto, classes: Sequence[str], request: PrepareRequest) -> Quarantined:
    """Why a photo whose grade is none of `classes` cannot be used."""
    grade, listed = composed(photo.grade), ", ".join(classes)
    if is_missing(grade):
        return Quarantined(request.regions, photo.source, "missing grade", grade)
    if request.classes is not None:
        return Quarantined(request.regions, photo.source, LEFT_OUT, f"{grade!r} is not one of {listed}")
    if request.regions not in CATALOGUE:
        return Quarantined(request.regions, photo.source, "grade below 0", grade)
    return grade_out_of_range(request.regions, photo.source, grade, classes)


def _warnings(
    photos: Sequence[LabelledPhoto], classes: Sequence[str], unnamed: int, request: PrepareRequest
) -> list[str]:
    found = []
    if request.classes is None and request.regions not in CATALOGUE:
        found += _on_grades([composed(photo.grade) for photo in photos], classes, request.nominal)
    if unnamed:
        found.append(
            f"{unnamed} images name no subject: each counts as its own, and the split may leak "
            "(the same person in train and test); give --subject-column or --subject-pattern"
        )
    return found


def _on_grades(grades: Sequence[str], classes: Sequence[str], nominal: bool) -> list[str]:
    """Warnings about grades that may have been meant otherwise."""
    found = []
    below = [grade for grade in grades if (number_of(grade) or 0) < 0 and class_name(grade) not in classes]
    if below:
        every = ",".join(sorted({*map(class_name, below), *classes}, key=float))
        found.append(
            f"{len(below)} grades below 0, such as {below[0]}, were taken for photos without a grade; "
            f"--classes={every} makes them classes"
        )
    words = Counter(grade for grade in grades if is_missing(grade) and grade)
    if words and any(number_of(name) is None for name in classes):
        word, count = words.most_common(1)[0]
        found.append(f"{count} grades are {word!r}, taken for missing; if it is a grade, name it in --classes")
    if not nominal and (order := guessed_order(classes)):
        found.append(order)
    return found
