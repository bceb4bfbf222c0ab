"""Attributes of people and photos by which results are told apart: those that packs keep, ages in bands."""

from collections.abc import Sequence

import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.storage.photo_columns import ABOUT, group_of

ATTRIBUTES = tuple(ABOUT)


def checked_attributes(given: str | Sequence[str]) -> tuple[str, ...]:
    """The names in ``"gender,device"``, or in a list. Raises StoreError for one that is not among ATTRIBUTES."""
    names = given.split(",") if isinstance(given, str) else given
    found = tuple(dict.fromkeys(name.strip() for name in names))
    for name in found:
        if name not in ATTRIBUTES:
            raise StoreError(f"--by {name!r} is not one of {', '.join(ATTRIBUTES)}")
    return found


def known_attributes(rows: pd.DataFrame) -> tuple[str, ...]:
    """Those of ATTRIBUTES that the store's `predictions` say of some image."""
    return tuple(name for name in ATTRIBUTES if name in rows and bool(rows[name].notna().any()))


def group_names(values: pd.Series, attribute: str) -> pd.Series:
    """`group_of` each image."""
    return pd.Series([group_of(attribute, value) for value in values], index=values.index, dtype=object)
