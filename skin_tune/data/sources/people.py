"""Subjects that are one person: written differently, or sharing a picture."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from skin_tune.data.sources.manifest import Manifest
from skin_tune.text.grades import number_of


def with_people(manifest: Manifest) -> Manifest:
    """`manifest` with one name for each subject that is written in several ways; warns of pairs that look alike."""
    named = {row.subject for row in manifest.rows if row.subject != row.source}
    spelling = one_spelling(named)
    rows = [replace(row, subject=spelling[row.subject]) if row.subject in spelling else row for row in manifest.rows]
    warnings = list(manifest.warnings)
    if pairs := letter_case_pairs(named):
        (one, other), more = pairs[0], f" (and {len(pairs) - 1} more such pairs)" if len(pairs) > 1 else ""
        warnings.append(f"subjects {one!r} and {other!r} differ in letter case alone{more}: taken for different people")
    return replace(manifest, rows=rows, warnings=warnings)


def one_spelling(subjects: Iterable[str]) -> dict[str, str]:
    """Where all subjects are numbers, those written in several ways (7, 7.0, 007), each with its number.

    A number that is written in one way alone keeps it; where some subject is a name, nothing is one.
    """
    distinct = set(subjects)
    if any(number_of(subject) is None or "e" in subject.lower() for subject in distinct):  # 1e2 may well be a name
        return {}
    spellings: defaultdict[Decimal, list[str]] = defaultdict(list)
    for subject in distinct:
        spellings[Decimal(subject)].append(subject)  # exact, where a float would merge ids of 17 digits
    return {
        spelling: f"{number.normalize() + 0:f}"
        for number, written in spellings.items()
        if len(written) > 1
        for spelling in written
    }


def letter_case_pairs(subjects: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of subjects that differ in letter case alone, in the order of their names."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for subject in sorted(set(subjects)):
        alike[subject.casefold()].append(subject)
    return [(names[0], other) for names in alike.values() for other in names[1:]]


def shared_pictures(pictures: Sequence[bytes | None], subjects: Sequence[str]) -> dict[bytes, set[str]]:
    """The subjects of each picture that more than one has; None is a picture that tells nobody apart."""
    shown: defaultdict[bytes, set[str]] = defaultdict(set)
    for picture, subject in zip(pictures, subjects, strict=True):
        if picture is not None:
            shown[picture].add(subject)
    return {picture: people for picture, people in shown.items() if len(people) > 1}


def joined_people(groups: Iterable[set[str]], unnamed: frozenset[str] | set[str] = frozenset()) -> Mapping[str, str]:
    """Each subject of `groups` with the person it is: groups that share a subject are one person.

    A person has the first of their names in order; one of `unnamed`, whom the source does not name, only if all are.
    """
    person: dict[str, str] = {}

    def found(subject: str) -> str:
        while person[subject] != subject:
            subject = person[subject]
        return subject

    def rank(subject: str) -> tuple[bool, str]:
        return subject in unnamed, subject

    for group in groups:
        for subject in group:
            person.setdefault(subject, subject)
        first, *others = sorted({found(subject) for subject in group}, key=rank)
        for other in others:
            person[other] = first
    return {subject: found(subject) for subject in person}
