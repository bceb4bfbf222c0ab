"""Output of compared trials by group: one trial in full, then the worst group and the gap of each."""

from typing import TYPE_CHECKING, Any

from rich.console import Console

from skin_tune.metrics import formula_of, metrics_for
from skin_tune.show.tables import Column, print_columns
from skin_tune.show.trial_columns import METRIC_HEADINGS
from skin_tune.text.numbers import figure, p_value, with_bounds

if TYPE_CHECKING:
    import pandas as pd

    from skin_tune.results.statistics.compare import Comparison

UNKNOWN = "not known"


def print_groups(console: Console, comparison: "Comparison", limit: int | None) -> None:
    """For each attribute the groups of the best trial; below them, where there are several, each trial in a line."""
    groups, gaps = comparison.groups, comparison.gaps
    if groups is None or gaps is None:
        return
    for attribute, of in groups.groupby("attribute", sort=False):
        first = comparison.compared.iloc[0]
        own = gaps[gaps["attribute"] == attribute]
        console.print(f"by {_named(str(attribute))}: {first['trial_id']}")
        print_columns(console, _group_columns(comparison, str(attribute), _of(of, first), first), total=False)
        for line in _words(comparison, _of(of, first), _of(own, first)):
            console.print(line, soft_wrap=True)
        if len(comparison.compared[:limit]) > 1:
            print_columns(console, _trial_columns(comparison, own, limit))
        console.print()
    console.print(
        "gap: from the worst to the best of the groups that are not too small; p: of luck setting two groups so far "
        "apart",
        soft_wrap=True,
    )


def _named(attribute: str) -> str:
    return attribute.replace("_", " ")


def _of(rows: "pd.DataFrame", trial: Any) -> "pd.DataFrame":
    """Rows of one trial."""
    return rows[(rows["experiment"] == trial["experiment"]) & (rows["trial_id"] == trial["trial_id"])]


def _group_columns(comparison: "Comparison", attribute: str, groups: "pd.DataFrame", trial: Any) -> list[Column]:
    """With as many metrics as there is room for, that of the comparison first; the last row is of everybody."""
    rows: list[Any] = groups.to_dict("records")
    names = [row["group"] or UNKNOWN for row in rows]
    had = [score for score in METRIC_HEADINGS if score in comparison.scores]
    shown = [score for score in had if formula_of(score) in metrics_for(comparison.ordinal)]
    scores = sorted(shown, key=lambda score: score != comparison.metric)
    everybody = [*rows, trial]
    return [
        Column(_named(attribute), [*names, "all"], left=True),
        Column("subjects", [*(str(row["subjects"]) for row in rows), str(comparison.subjects)]),
        Column("images", [*(str(row["images"]) for row in rows), str(comparison.images)], 1),
        *(
            Column(METRIC_HEADINGS[score], [_interval(row, score) for row in everybody], place + 1 if place else 0)
            for place, score in enumerate(scores)
        ),
        Column("", [*("too small" if row["too_small"] else "" for row in rows), ""], 1, left=True),
    ]


def _words(comparison: "Comparison", groups: "pd.DataFrame", gaps: "pd.DataFrame") -> list[str]:
    lines = []
    own = gaps[gaps["metric"] == comparison.metric]
    if len(own):
        gap = own.iloc[0]
        lines.append(f"worst: {gap['worst']}, best: {gap['best']}; gap {_gap(gap)}, p {p_value(gap['p'])}")
    else:
        lines.append("worst: cannot be said, as fewer than two groups are large enough")
    small = groups[groups["too_small"] != ""].to_dict("records")
    lines += [f"too small: {row['group'] or UNKNOWN} ({row['too_small']})" for row in small]
    return lines


def _trial_columns(comparison: "Comparison", gaps: "pd.DataFrame", limit: int | None) -> list[Column]:
    trials: list[Any] = comparison.compared[:limit].to_dict("records")
    rows: list[Any] = []
    for trial in trials:
        own = _of(gaps, trial)
        found = own[own["metric"] == comparison.metric].to_dict("records")
        rows.append(found[0] if found else None)
    several = len({trial["experiment"] for trial in trials}) > 1
    return [
        *([Column("experiment", [trial["experiment"] for trial in trials], left=True)] if several else []),
        Column("trial", [trial["trial_id"] for trial in trials], left=True),
        Column(METRIC_HEADINGS[comparison.metric], [figure(trial[comparison.metric]) for trial in trials]),
        Column("worst", ["-" if row is None else row["worst"] for row in rows]),
        Column("best", ["-" if row is None else row["best"] for row in rows], 1),
        Column("gap", ["-" if row is None else _gap(row) for row in rows]),
        Column("p", ["-" if row is None else p_value(row["p"]) for row in rows], 2),
    ]


def _gap(row: Any) -> str:
    return with_bounds(row["gap"], row["gap_low"], row["gap_high"], ".2f")


def _interval(row: Any, score: str) -> str:
    return with_bounds(row[score], row[f"{score}_low"], row[f"{score}_high"], ".2f")
