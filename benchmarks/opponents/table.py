"""The table of opponents: means over split seeds, and paired differences to one of them."""

import statistics
from pathlib import Path

from rich.table import Table

from benchmarks.opponents.differences import Difference, paired_difference
from benchmarks.opponents.results import OpponentsError, Predictions, Result, read_results
from benchmarks.opponents.run import OPPONENTS

_COMPARED = ("balanced_acc", "macro_f1")


def make_table(work: Path, reference: str | None = None) -> Table:
    """A row for each opponent; differences are its figure minus that of `reference` (skin-tune, or else the first).

    Everything is of the split seeds that all opponents have. Raises OpponentsError where there is none, or no result
    of `reference`.
    """
    results = read_results(work)
    names = [name for name in OPPONENTS if name in results]
    reference = reference or ("skin-tune" if "skin-tune" in names else names[0])
    if reference not in names:
        raise OpponentsError(f"--reference {reference!r} has no result; there are {', '.join(names)}")
    seeds = sorted(set.intersection(*(set(results[name]) for name in names)))
    if not seeds:
        raise OpponentsError(f"no split seed has a result of each of {', '.join(names)}")
    by_name = {name: [results[name][seed] for seed in seeds] for name in names}
    _check_comparable(by_name)
    headings = ["test balanced acc", "test macro F1", "val balanced acc", "images drawn", "runs", "seconds"]
    versus = [f"{metric} - {reference}'s" for metric in ("balanced acc", "macro F1")]
    title = f"means over split seeds {', '.join(map(str, seeds))}; 95% intervals over subjects of the test splits"
    table = Table("opponent", *headings, *versus, box=None, title=title)
    for name, rows in by_name.items():
        table.add_row(
            name,
            f"{_mean(rows, 'test_balanced_acc'):.3f}",
            f"{_mean(rows, 'test_macro_f1'):.3f}",
            f"{_mean(rows, 'val_balanced_acc'):.3f}",
            f"{_mean(rows, 'images_drawn'):.0f}",
            f"{_mean(rows, 'runs'):.1f}",
            f"{_mean(rows, 'seconds'):.0f}",
            *(_told(difference(rows, by_name[reference], metric)) for metric in _COMPARED if name != reference),
        )
    return table


Rows = list[tuple[Result, Predictions]]


def difference(rows: Rows, reference: Rows, metric: str) -> Difference:
    """Mean difference in a metric between the results of two opponents on the same split seeds."""
    first, second = ([predictions for _, predictions in each] for each in (rows, reference))
    return paired_difference(first, second, len(rows[0][0].classes), metric)


def _check_comparable(by_name: dict[str, Rows]) -> None:
    for rows in zip(*by_name.values(), strict=True):
        if len({(result.settings["pack_id"], result.budget) for result, _ in rows}) > 1:
            raise OpponentsError(f"the results of split seed {rows[0][0].split_seed} are of different packs or budgets")


def _mean(rows: Rows, name: str) -> float:
    return statistics.mean(getattr(result, name) for result, _ in rows)


def _told(difference: Difference) -> str:
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
