"""The rows of a run's history as epochs of the store."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from skin_tune.text.numbers import none_if_nan
from skin_tune.tuning.wandb_import.renames import Renames, is_column

_WHOLE = ("images",)
_MOST_EPOCHS = 2**31

_Row = dict[str, Any]


class Epochs(NamedTuple):
    """What a history holds for the store."""

    rows: list[_Row]
    """Rows of `epochs`, by their number, which begins with 1."""
    unused: frozenset[str]
    """Keys of numbers that no column holds."""


def epochs_of(history: Sequence[Mapping[str, Any]], renames: Renames) -> Epochs:
    """The epochs of a history, whatever its loop logs in a row.

    The last value of a column in an epoch counts; NaN is a gap. Where rows say their `epoch`, those without one belong
    to the next that does, or, in a history that begins with one that does, to the one before. Where none says it, each
    row with a `val_` metric ends an epoch; without such rows each row is one. A fraction counts for the epoch that it
    is in, and numbers that begin with 0 are moved by one.
    """
    rows = [_columns(row, renames) for row in history]
    known = {key for row in history for key in row if is_column(key)} | set(renames)
    numbers = {key for row in history for key, value in row.items() if _is_number(value) and not key.startswith("_")}
    grouped = _by_epoch([row for row in rows if row])
    first = 1 if min(grouped, default=1) == 0 else 0
    found = [{**columns, "epoch": number + first} for number, columns in sorted(grouped.items())]
    return Epochs(found, frozenset(numbers - known))


def _columns(row: Mapping[str, Any], renames: Renames) -> _Row:
    """The numbers of a row that are columns of `epochs`; renamed ones go before those that have the name."""
    own = {key: value for key, value in row.items() if is_column(key) and key not in renames}
    own |= {renames[key]: value for key, value in row.items() if key in renames}
    return {name: none_if_nan(value) for name, value in own.items() if _is_number(value) and _fits(name, value)}


def _by_epoch(rows: Sequence[_Row]) -> dict[int, _Row]:
    found: dict[int, _Row] = {}
    waiting: _Row = {}
    number: int | None = None
    numbers = list(_numbers(rows))
    backwards = bool(numbers) and numbers[0] is not None
    for row, told in zip(rows, numbers, strict=True):
        number = told if told is not None else number if backwards else None
        if number is None:
            waiting |= row
        else:
            found[number] = {**found.get(number, {}), **waiting, **row}
            waiting = {}
    return found


def _numbers(rows: Sequence[_Row]) -> Iterator[int | None]:
    """The epoch that each row says it is of, if any."""
    told = [_epoch(row.get("epoch")) for row in rows]
    if any(number is not None for number in told):
        yield from told
        return
    validates = [any(name.startswith("val_") for name in row) for row in rows]
    ended = 0
    for ends in validates if any(validates) else [True] * len(rows):
        ended += ends
        yield ended if ends else None


def _epoch(value: Any) -> int | None:
    return math.ceil(value) if _is_number(value) and 0 <= value < _MOST_EPOCHS else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fits(name: str, value: float) -> bool:
    """Whether a column of whole numbers can hold it, or any other number that a float can."""
    if name in _WHOLE:
        return math.isfinite(value) and value == int(value) and abs(value) < 2**63
    return isinstance(value, float) or abs(value) < 2**63
