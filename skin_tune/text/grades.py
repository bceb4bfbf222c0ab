"""Grades that are numbers, whole or not: what the names of classes stand for."""

import math
import re
from collections.abc import Sequence

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def number_of(text: str) -> float | None:
    """The finite number that a class name or a cell of a table stands for, None for any other text.

    A number is an optional sign, decimal digits, and optionally a fraction and an exponent, in blanks or none around:
    ``0_1`` is a name, ``nan`` and ``inf`` are no numbers.
    """
    if _NUMBER.fullmatch(text.strip()) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def grade_values(classes: Sequence[str]) -> list[float] | None:
    """The numbers of all `classes` [K], in their order; None unless every one is a number."""
    numbers = [number_of(name) for name in classes]
    found = [number for number in numbers if number is not None]
    return found if len(found) == len(numbers) else None
