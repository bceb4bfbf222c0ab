"""Columns about a photo beside its grade, whom it shows and how it was taken, and the groups that they make."""

from typing import Any

import pyarrow as pa

ABOUT = {
    "device": pa.string(),
    "angle": pa.string(),
    "age": pa.float32(),
    "gender": pa.string(),
    "skin_type": pa.string(),
}
"""Columns of packs and of the store's predictions; null where the source does not say. Age is in years."""

UNKNOWN = ""
"""The group of images of which the source does not say."""

FEWEST_SUBJECTS = 30
"""A group of fewer people is too small to say anything of: statistics offices do not present a share of so few (Parker
et al. 2017, National Center for Health Statistics Data Presentation Standards for Proportions, Vital Health Stat
2(175)), and a balanced accuracy is a mean of shares of even fewer."""

_FIRST_BOUND, _LAST_BOUND, _YEARS = 20, 60, 10


def group_of(attribute: str, value: Any) -> str:
    """The group that a value of one of ABOUT puts an image into, in words: an age's band, or UNKNOWN for a gap."""
    if value is None or value != value:
        return UNKNOWN
    return age_band(float(value)) if attribute == "age" else str(value)


def age_band(years: float) -> str:
    """``0-19``, ``20-29``, ... ``50-59``, ``60+``: names that sort as ages do; UNKNOWN for NaN and below 0."""
    if not years >= 0:
        return UNKNOWN
    if years < _FIRST_BOUND:
        return f"0-{_FIRST_BOUND - 1}"
    if years >= _LAST_BOUND:
        return f"{_LAST_BOUND}+"
    first = int(years // _YEARS) * _YEARS
    return f"{first}-{first + _YEARS - 1}"
