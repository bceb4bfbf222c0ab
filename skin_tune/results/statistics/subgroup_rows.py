"""Results by group as rows of a table."""

from collections.abc import Callable, Sequence
from typing import Any

from skin_tune.results.statistics.model_figures import Figure
from skin_tune.results.statistics.subgroups import Group, Grouping
from skin_tune.storage.photo_columns import FEWEST_SUBJECTS

Named = Callable[[str], str]
"""From one of METRICS to the name of its column."""


def group_row(group: Group, class_names: Sequence[str], named: Named) -> dict[str, Any]:
    """``group subjects images too_small`` and each score with its bounds; NaN is what cannot be said."""
    row: dict[str, Any] = {"group": group.name, "subjects": group.subjects, "images": group.images}
    row["too_small"] = why_too_small(group, class_names)
    for name, figure in group.scores.items():
        row |= with_bounds(named(name), figure)
    return row


def gap_rows(grouping: Grouping, named: Named) -> list[dict[str, Any]]:
    """``metric worst best gap gap_low gap_high p``, a row per metric."""
    return [
        {"metric": named(name), "worst": gap.worst, "best": gap.best, **with_bounds("gap", gap.size), "p": gap.p}
        for name, gap in grouping.gaps.items()
    ]


def with_bounds(name: str, figure: Figure) -> dict[str, float]:
    """``<name> <name>_low <name>_high``"""
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def why_too_small(group: Group, class_names: Sequence[str]) -> str:
    """``fewer than 30 subjects; no image of 5, 6``; empty for a group of which something can be said."""
    few = [f"fewer than {FEWEST_SUBJECTS} subjects"] if group.subjects < FEWEST_SUBJECTS else []
    missing = [f"no image of {', '.join(class_names[place] for place in group.missing)}"] if group.missing else []
    return "; ".join([*few, *missing])
