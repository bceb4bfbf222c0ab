"""Values of a file a user wrote: each is returned as what it must be, or refused with a SpaceError that says where."""

import contextlib
import difflib
import reprlib
from collections.abc import Collection, Mapping
from typing import Any

from skin_tune.errors import SpaceError
from skin_tune.text.numbers import number_from


def keys(prefix: str, given: Mapping[Any, Any], known: Collection[str]) -> None:
    """Every key of `given` is one of `known`."""
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(known)}"
            raise SpaceError(f"{prefix}{key} is not a key used here; {hint}")


def required(prefix: str, given: Mapping[str, Any], key: str) -> Any:
    """The value of `given` under `key`."""
    if key not in given:
        raise SpaceError(f"{prefix}{key} is missing")
    return given[key]


def mapping(where: str, value: Any) -> dict[Any, Any]:
    """Keys to values."""
    if not isinstance(value, dict):
        raise SpaceError(f"{where}: {shown(value)} is not a mapping of keys to values")
    return value


def listing(where: str, value: Any) -> list[Any]:
    """At least one value."""
    if not isinstance(value, list) or not value:
        raise SpaceError(f"{where}: {shown(value)} is not a list of at least one")
    return value


def choice(where: str, value: Any, known: Collection[str]) -> str:
    """One of the words `known`."""
    if not isinstance(value, str) or value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SpaceError(f"{where}={shown(value)} is not one of {', '.join(known)}{hint}")
    return value


def number(where: str, value: Any) -> int | float:
    """A finite number; text is parsed, since YAML 1.1 reads 1e-3 as text."""
    if isinstance(value, int | float | str):
        with contextlib.suppress(ValueError, TypeError):
            found = number_from(value)
            return float(found) if isinstance(value, str) else found
    raise SpaceError(f"{where}={shown(value)} is not a finite number")


def count(where: str, value: Any) -> int:
    """A whole number of at least 1."""
    found = number(where, value)
    if found < 1 or not float(found).is_integer():
        raise SpaceError(f"{where}={shown(value)} is not a whole number of at least 1")
    return int(found)


def shown(value: Any) -> str:
    """`value` in a message, shortened where it is long."""
    return reprlib.repr(value)
