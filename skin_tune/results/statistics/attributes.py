"""Attributes of people and photos by which results are told apart: those that packs keep, ages in bands."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.storage.photo_columns import ABOUT

ATTRIBUTES = tuple(ABOUT)

UNKNOWN = ""
"""The group of images of which the source does not say."""

_FIRST_BOUND, _LAST_BOUND, _YEARS = 20, 60, 10


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
    """The group of each image: the attribute's value in words, or UNKNOWN; of an age, which is in years, its band."""
    if attribute == "age":
        return pd.Series([age_band(age) for age in values.astype(float)], index=values.index, dtype=object)
    return values.astype(object).where(values.notna(), UNKNOWN).astype(str)


def age_band(years: float) -> str:
    """``0-19``, ``20-29``, ... ``50-59``, ``60+``: names that sort as ages do; UNKNOWN for NaN and below 0."""
    if not years >= 0:
        return UNKNOWN
    if years < _FIRST_BOUND:
        return f"0-{_FIRST_BOUND - 1}"
    if years >= _LAST_BOUND:
        return f"{_LAST_BOUND}+"
    first = int(np.floor(years / _YEARS)) * _YEARS
    return f"{first}-{first + _YEARS - 1}"
