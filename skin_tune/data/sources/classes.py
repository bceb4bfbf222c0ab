"""Class names from grades as written, and their order."""

import re
from collections.abc import Iterable, Sequence

from skin_tune.data.sources.files import composed
from skin_tune.errors import SourceError
from skin_tune.text.grades import number_of

_MISSING = frozenset({"", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "<NA>", "None", "null", "NULL"})
"""How programs write a cell that is empty. `none` is not among them: it is the mildest grade of many a scale."""


def is_missing(text: str) -> bool:
    """Whether a cell, or the name of a folder, says that there is no value."""
    return text.strip() in _MISSING


def class_name(text: str) -> str:
    """The one spelling of a grade: 02, 2.0 and 2 are the class ``2``, 1.50 is ``1.5``; names are `composed`."""
    number = number_of(text)
    if number is None:
        return composed(text)
    return str(int(number)) if number.is_integer() else repr(number)


def ordered_classes(names: Iterable[str]) -> list[str]:
    """The distinct class names in order: numbers as numbers, other names in natural order (``grade 2`` < ``grade 10``).

    Where all are numbers, those below 0 are left out: they are codes for photos that were not graded.
    """
    distinct = {class_name(name) for name in names}
    numbers = {name: number for name in distinct if (number := number_of(name)) is not None}
    if len(numbers) < len(distinct):
        return sorted(distinct, key=_natural)
    return sorted((name for name, number in numbers.items() if number >= 0), key=numbers.__getitem__)


def _natural(name: str) -> tuple[object, ...]:
    parts = re.split(r"(\d+)", name)  # words at even places, whole numbers at odd ones
    return (*(int(part) if place % 2 else part.casefold() for place, part in enumerate(parts)), name)


def parse_classes(text: str) -> list[str]:
    """``none,mild,severe`` as class names in that order. Raises SourceError unless they are two or more and differ."""
    names = [class_name(word) for word in text.split(",")]
    if "" in names or len(names) < 2:
        raise SourceError(f"--classes {text!r} is not a list of two names or more, such as none,mild,severe")
    if repeated := [name for place, name in enumerate(names) if name in names[:place]]:
        raise SourceError(f"--classes {text!r} names {repeated[0]!r} twice")
    return names


def guessed_order(classes: Sequence[str]) -> str:
    """A warning about an order that nobody gave; empty where the names themselves have one."""
    named = [name for name in classes if number_of(name) is None]
    if not named:
        return ""
    if len(named) < len(classes):
        rest = ",".join(name for name in classes if number_of(name) is not None)
        return (
            f"{', '.join(named[:3])} among grades that are numbers: a class of its own; --classes {rest} leaves it out"
        )
    if all(re.search(r"\d", name) for name in named):
        return ""
    return (
        f"the order of the classes is that of the alphabet: {', '.join(classes[:8])}; give theirs with --classes, "
        "or --nominal if they have none"
    )
