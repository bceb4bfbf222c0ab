"""How a comparison of trials is printed: a leaderboard with intervals, and below it what it means, in words."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from skin_tune.metrics import LESS_IS_BETTER, formula_of, metrics_for
from skin_tune.results.statistics.subgroups import GROUP_RESAMPLES
from skin_tune.show.chosen import chosen_words
from skin_tune.show.compared_groups import print_groups
from skin_tune.show.console import open_console
from skin_tune.show.csv_output import frame_csv
from skin_tune.show.tables import fits, print_whole
from skin_tune.show.trial_columns import METRIC_HEADINGS
from skin_tune.text.numbers import figure, none_if_nan, p_value, with_bounds

if TYPE_CHECKING:
    import pandas as pd

    from skin_tune.results.statistics.compare import Comparison

_NAMED = 5


def print_comparisons(comparisons: Sequence["Comparison"], form: str, limit: int | None) -> None:
    """A table for each region, or all rows as csv, or everything as json; by group where that was asked for."""
    if form == "csv":
        import pandas as pd

        rows = pd.concat([_csv_rows(each, limit) for each in comparisons], ignore_index=True)
        print(frame_csv(rows), end="")
        return
    if form == "json":
        print(json.dumps([_plain(each, limit) for each in comparisons], indent=2))
        return
    console = open_console()
    for number, each in enumerate(comparisons):
        if len(comparisons) > 1:
            if number:
                console.print()
            console.print(each.region)
        if each.groups is not None:
            print_groups(console, each, limit)
        else:
            _print_table(console, each, limit)
        for line in _basis(each) if each.groups is not None else _words(each):
            console.print(line)


def _resamples(comparison: "Comparison") -> str:
    if comparison.groups is None:
        return str(comparison.resamples)
    return f"{min(comparison.resamples, GROUP_RESAMPLES)} (of all: {comparison.resamples})"


def _csv_rows(comparison: "Comparison", limit: int | None) -> "pd.DataFrame":
    """The trials, or their groups where these were asked for."""
    trials = comparison.trials[:limit]
    if comparison.groups is None:
        return trials
    groups = comparison.groups.merge(trials[["experiment", "trial_id"]], on=["experiment", "trial_id"])
    groups.insert(0, "region", comparison.region)
    return groups


def _plain(comparison: "Comparison", limit: int | None) -> dict[str, Any]:
    tables = {name: getattr(comparison, name) for name in ("groups", "gaps")}
    expected = {score: none_if_nan(value) for score, value in comparison.expected.items()}
    named = (comparison.trials["experiment"] + "/" + comparison.trials["trial_id"]).to_list()
    reference = None if comparison.reference is None else named[comparison.reference]
    rows: dict[str, Any] = {"trials": _records(comparison.trials[:limit])}
    rows |= {name: None if frame is None else _records(frame) for name, frame in tables.items()}
    return {**asdict(comparison), **rows, "expected": expected, "reference": reference}


def _records(frame: "pd.DataFrame") -> list[dict[Any, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _print_table(console: Console, comparison: "Comparison", limit: int | None) -> None:
    """With the status, as many intervals and, where it is narrow, metrics as the terminal has room for.

    Where it is narrower still, without what is held against the best: the words below say that of the first.
    """
    had = [score for score in comparison.scores if formula_of(score) in metrics_for(comparison.ordinal)]
    in_order = [score for score in METRIC_HEADINGS if score in had]
    scores = sorted(in_order, key=lambda score: score != comparison.metric)
    fewer = range(len(scores), 0, -1)
    for status, shown, with_interval, judged in (
        (True, len(scores), len(scores), True),
        *((False, len(scores), count, True) for count in fewer),
        *((False, count, 1, True) for count in fewer),
        (False, 1, 0, True),
        (False, 1, 1, False),
        (False, 1, 0, False),
    ):
        table = _table(comparison, limit, scores[:shown], status, with_interval, judged)
        if fits(console, table):
            break
    print_whole(console, table)


def _table(
    comparison: "Comparison", limit: int | None, scores: list[str], status: bool, with_interval: int, judged: bool
) -> Table:
    several = comparison.trials["experiment"].nunique() > 1
    words = [*(["experiment"] if several else []), "trial_id", *(["status"] if status else [])]
    table = Table(box=None)
    table.add_column("rank", justify="right", no_wrap=True)
    for word in words:
        table.add_column(word.removesuffix("_id"), no_wrap=True)
    against = "vs baseline" if comparison.against_baseline else "vs best"
    judgements = [against, "better", "p"] if judged else []
    for heading in (*(METRIC_HEADINGS[score] for score in scores), *judgements):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = comparison.trials[:limit].to_dict("records")
    for rank, row in enumerate(rows, start=1):
        figures = [
            _interval(row, score) if place < with_interval else figure(row[score]) for place, score in enumerate(scores)
        ]
        if rank - 1 == comparison.reference:
            against_it = ["baseline" if comparison.against_baseline else "best", "", ""]
        else:
            against_it = [figure(row["difference"], "+.3f"), _chance(row["chance_better"]), p_value(row["p_adjusted"])]
        table.add_row(str(rank), *(row[word] for word in words), *figures, *against_it[: len(judgements)])
    return table


def _words(comparison: "Comparison") -> list[str]:
    """A legend for the table."""
    said = []
    name, rows = METRIC_HEADINGS[comparison.metric], comparison.compared
    if len(rows) and comparison.reference is not None:
        best = rows.iloc[0]
        line = f"best: {best['trial_id']}, {name} {_interval(best, comparison.metric)}"
        if comparison.expected:
            expected, less = comparison.expected[comparison.metric], formula_of(comparison.metric) in LESS_IS_BETTER
            line += f", {chosen_words(len(rows), best[comparison.metric], expected, less_is_better=less)}"
        said.append(line)
        if len(rows) > 1 and comparison.subjects > 1:
            said.extend(_judgement(comparison, rows))
    return [*said, *_basis(comparison)]


def _basis(comparison: "Comparison") -> list[str]:
    """What the figures rest on."""
    intervals = []
    if comparison.subjects > 1:
        intervals = [
            f"intervals: 95%, {_resamples(comparison)} resamples of {comparison.subjects} subjects "
            f"({comparison.images} {'validation' if comparison.split == 'val' else 'out-of-fold'} images)"
        ]
    return [*intervals, *(f"note: {note}" for note in comparison.notes)]


def _judgement(comparison: "Comparison", rows: "pd.DataFrame") -> list[str]:
    close = comparison.within_noise
    some = ", ".join(close["trial_id"][:_NAMED]) + (", ..." if len(close) > _NAMED else "")
    if comparison.against_baseline:
        better = (~rows.index.isin(close.index) & (rows["chance_better"] > 0.5)).sum()
        return [
            f"{better} of {len(rows) - 1} are better than the baseline, {len(close)} within noise of it"
            f"{f': {some}' if len(close) else ''}",
            "better: chance of beating it on other people; p: of luck setting one of them so far apart from it",
        ]
    second = rows.iloc[1]
    worse = f"{second['trial_id']}, the second, is worse with a chance of {_chance(1 - second['chance_better'])}"
    noise = f"{len(close)} of {len(rows) - 1} within noise of the best" + (f": {some}" if len(close) else "")
    return [
        f"{worse}; {noise}",
        f"better: chance of beating the best on other people; p: of luck putting the best of {len(rows)} so far ahead",
    ]


def _interval(row: Any, score: str) -> str:
    return with_bounds(row[score], row[f"{score}_low"], row[f"{score}_high"], ".2f")


def _chance(value: float) -> str:
    """In per cent, never certain."""
    if math.isnan(value):
        return "-"
    percent = round(100 * value)
    return "< 1 %" if percent < 1 else "> 99 %" if percent > 99 else f"{percent} %"
