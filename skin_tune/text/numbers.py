"""How a number is read from what a person or a file gives: the one rule of config values, space files and options.

A text is a number where Python's float reads it, except with underscores: `1_0` is more likely a slip than ten. So
`10`, `1e1`, `10.0` and ` 10 ` are ten, and so is a ten in full-width or other digits.
"""

import math
from typing import Any


def number_from(value: Any) -> int | float:
    """The finite number that `value` is or spells. Raises ValueError or TypeError for anything else."""
    if isinstance(value, bool | bytes):
        raise TypeError(f"{value!r} is not a number")
    try:
        number = value if isinstance(value, int) else _whole(value) if isinstance(value, str) else float(value)
        finite = math.isfinite(number)
    except OverflowError:  # whole, and beyond what a float holds
        finite = False
    if not finite:
        raise ValueError(f"{value!r} is not finite")
    return number


def whole_number_from(value: Any) -> int:
    """The whole number that `value` is or spells, to the last digit. Raises as `number_from`, or ValueError."""
    number = number_from(value)
    if int(number) != number:
        raise ValueError(f"{value!r} is not whole")
    if not -(2**63) <= number < 2**63:  # what a table of the store holds
        raise ValueError(f"{value!r} has more than 64 bits")
    return int(number)


def none_if_nan(value: Any) -> Any:
    """`value`, or None for NaN: files and tables hold a gap as null."""
    return None if isinstance(value, float) and math.isnan(value) else value


def figure(value: float | None, form: str = ".3f") -> str:
    """A number as a table shows it; a dash for None and NaN."""
    return "-" if value is None or math.isnan(value) else format(value, form)


def p_value(value: float | None) -> str:
    """A p-value with three places, ``<.001`` where these are zero; a dash for None and NaN."""
    return "<.001" if value is not None and value < 0.0005 else figure(value)


def with_bounds(value: float | None, low: float, high: float, form: str = ".3f") -> str:
    """``0.712 [0.680, 0.741]``: a figure and, unless they are NaN, the bounds of its interval."""
    return figure(value) + ("" if math.isnan(low) else f" [{low:{form}}, {high:{form}}]")


def _whole(text: str) -> int | float:
    """A text as an int where it has only digits, which a float would round beyond 2**53; else as a float."""
    if "_" in text:
        raise ValueError(f"{text!r} holds an underscore")
    try:
        return int(text)
    except ValueError:
        return float(text)
