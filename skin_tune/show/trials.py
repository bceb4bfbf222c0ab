"""What people see at the end: tables of trials, of regions, of a refitted model."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from skin_tune.errors import SkinTuneError, StoreError
from skin_tune.metrics import ORDINAL_METRICS
from skin_tune.show.console import fits, open_console

if TYPE_CHECKING:
    import pandas as pd

    from skin_tune.tuning.experiment import Outcome
    from skin_tune.tuning.refit import Refit
    from skin_tune.tuning.single import TrainOutcome

TABLE_FORMATS = ("table", "csv", "json")


def print_training(outcome: "TrainOutcome") -> None:
    """How a single training ended."""
    best = outcome.best
    print(
        f"{outcome.name}: best epoch {outcome.best_epoch} of {outcome.epochs}: "
        f"val_balanced_acc {best['val_balanced_acc']:.3f}, val_macro_f1 {best['val_macro_f1']:.3f}"
    )
    print(f"model {outcome.folder / 'best.pt'}; go on from {outcome.folder / 'last.pt'}")
    if outcome.wandb:
        print(outcome.wandb, file=sys.stderr)


def print_refit(outcome: "Refit") -> None:
    """A refitted model's test figures, class by class, and where its files are."""
    from skin_tune.results.card import times

    console, facts = open_console(), outcome.facts
    if not outcome.new:
        console.print(f"{outcome.model} is complete already; the test split was not opened again")
    headings = {"train_images": "training images", "test_images": "test images", "precision": "precision"}
    table = Table("class", box=None)
    for heading in (*headings.values(), "recall", "F1"):
        table.add_column(heading, justify="right")
    for row in facts.classes:
        table.add_row(row["class"], *(_cell(row[name]) for name in (*headings, "recall", "f1")))
    console.print(table)
    scores = ", ".join(f"{name} {_cell(facts.metrics[name])}" for name in ("test_balanced_acc", "test_macro_f1"))
    console.print(
        f"{outcome.model}: {scores} (epoch {facts.best_epoch} of {facts.epochs}, trained on {facts.trained_on}; "
        f"this test split has been opened {times(facts.test_openings)})",
        soft_wrap=True,
    )
    console.print(f"model {outcome.folder / 'model.pt'}; see {outcome.folder / 'model_card.md'}", soft_wrap=True)
    if outcome.wandb:
        print(outcome.wandb, file=sys.stderr)


def print_outcome(outcome: "Outcome", storage: Path, price: float | None = None) -> None:
    """The ranked table of an experiment, and what early stopping saved."""
    from skin_tune.tuning.progress import duration

    console = open_console()
    _print_ranked(console, outcome.rows, [f"config/{name}" for name in outcome.searched])
    statuses = [row["status"] for row in outcome.rows]
    counts = ", ".join(
        f"{statuses.count(status)} {status.replace('_', ' ')}"
        for status in ("completed", "stopped_early", "interrupted", "diverged", "failed")
        if status in statuses
    )
    spent = "" if outcome.seconds is None else f" in {duration(outcome.seconds)}"
    here = ""
    if spent and outcome.ended_here is not None:  # the table is of all runs of the experiment, the time of this one
        spent, here = "", f"; this run ended {outcome.ended_here} of them{spent}"
    console.print(f"{len(statuses)} {'trial' if len(statuses) == 1 else 'trials'}{spent}: {counts}{here}")
    judged = [
        row
        for row in outcome.rows
        if row["status"] in ("completed", "stopped_early") and row["trial_id"] not in outcome.cut_off
    ]
    run, full = sum(row["epochs"] for row in judged), sum(int(row["config/epochs"]) for row in judged)
    if run < full:
        console.print(f"early stopping: {run} of {full} epochs run, {100 * (1 - run / full):.0f} % saved")
    if line := cost_line(outcome.rows, price):
        console.print(line)
    for reason in dict.fromkeys(row["error"] for row in outcome.rows if row.get("error")):
        console.print(f"failed or diverged: {reason}")
    for line in _endings(outcome):
        console.print(line, soft_wrap=True)
    best = outcome.rows[0]
    values = " ".join(f"{name}={best[f'config/{name}']}" for name in outcome.searched)
    console.print(f"best: {values}", soft_wrap=True)
    console.print(f"see again: skin-tune trials --storage {storage} --experiment {outcome.experiment}", soft_wrap=True)


def print_outcomes(ends: Mapping[str, "Outcome | SkinTuneError"], storage: Path, price: float | None = None) -> None:
    """A row for each region that was tuned, or the reason why it has no result."""
    console = open_console()
    table = Table("region", "trials", "stopped early", "best trial", box=None)
    for heading in ("balanced acc", "macro F1", "epochs run", "of", "GPU-hours"):
        table.add_column(heading, justify="right")
    if price is not None:
        table.add_column("cost", justify="right")
    total = 0.0
    for region, end in ends.items():
        if isinstance(end, SkinTuneError):
            continue
        best, rows = end.rows[0], end.rows
        seconds = sum(row.get("gpu_seconds") or 0.0 for row in rows)
        total += seconds
        cells = [best.get("val_balanced_acc"), best.get("val_macro_f1"), sum(row["epochs"] for row in rows)]
        table.add_row(
            region,
            str(len(rows)),
            str(sum(row["status"] == "stopped_early" for row in rows)),
            best["trial_id"],
            *map(_cell, cells),
            str(sum(int(row["config/epochs"]) for row in rows)),
            f"{seconds / 3600:.3g}",
            *([f"{seconds / 3600 * price:.2f}"] if price is not None else []),
        )
    console.print(table)
    if total:
        console.print(f"cost of all: {_cost(total, price)}")
    for region, end in ends.items():
        if isinstance(end, SkinTuneError):
            console.print(f"{region}: {end}", soft_wrap=True)
            continue
        for line in _endings(end):
            console.print(f"{region}: {line}", soft_wrap=True)
    console.print(f"see again: skin-tune trials --storage {storage}", soft_wrap=True)


def _endings(outcome: "Outcome") -> Iterator[str]:
    """What ended an experiment before all of its trials had run."""
    if outcome.reached:
        yield f"{outcome.reached}: the experiment {'ends' if outcome.seconds is not None else 'has ended'}"
    if outcome.cut_off:
        how = "--resume with a higher metric.target, or none," if outcome.reached else "--resume"
        yield f"{len(outcome.cut_off)} trials were cut off; {how} goes on with them"


def cost_line(rows: Sequence[Mapping[str, Any]], price: float | None) -> str:
    """What trials have cost; nothing where they held no GPU."""
    gpu_seconds = sum(row.get("gpu_seconds") or 0.0 for row in rows)
    return f"cost: {_cost(gpu_seconds, price)}" if gpu_seconds else ""


def _cost(gpu_seconds: float, price: float | None) -> str:
    hours = gpu_seconds / 3600
    return f"{hours:.3g} GPU-hours" + (f", {hours * price:.2f} in money" if price is not None else "")


def check_format(form: str) -> None:
    """Raise StoreError for a format that `print_trials` does not know."""
    if form not in TABLE_FORMATS:
        raise StoreError(f"--format {form!r} is not one of {', '.join(TABLE_FORMATS)}")


def print_trials(frame: "pd.DataFrame", form: str) -> None:
    """Trials as a table for people, or whole as csv or json for programs."""
    from skin_tune.results.ranking import varied

    if form == "csv":
        print(frame.to_csv(index=False), end="")
        return
    if form == "json":
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        print(json.dumps(rows, indent=2, default=str))  # pandas' own JSON rounds small numbers to zero
        return
    _print_ranked(open_console(), frame.to_dict("records"), varied(frame), "region", "experiment")


def _print_ranked(console: Console, rows: Sequence[Mapping[Any, Any]], searched: Sequence[str], *extra: str) -> None:
    """Print rows as they are ordered, with as many of the `searched` columns as the terminal has room for.

    A metric that needs an order of classes has no column where no row has it.
    """
    shown = list(searched)
    metrics = {
        name: heading
        for name, heading in _METRIC_HEADINGS.items()
        if name.removeprefix("val_") not in ORDINAL_METRICS or any(_cell(row.get(name)) != "-" for row in rows)
    }
    while True:
        table = Table(box=None)
        table.add_column("rank", justify="right", no_wrap=True)
        for heading in (*extra, "trial", "status"):
            table.add_column(heading, no_wrap=True)
        for heading in (
            "epochs",
            "best",
            *metrics.values(),
            *(name.removeprefix("config/") for name in shown),
        ):
            table.add_column(heading, justify="right", no_wrap=True)
        for rank, row in enumerate(rows, start=1):
            words = [row[name] for name in (*extra, "trial_id", "status")]
            numbers = [row.get(name) for name in ("epochs", "best_epoch", *metrics, *shown)]
            table.add_row(str(rank), *words, *map(_cell, numbers))
        if not shown or fits(console, table):
            break
        shown.pop()
    console.print(table)


_METRIC_HEADINGS = {
    "val_balanced_acc": "balanced acc",
    "val_macro_f1": "macro F1",
    "val_acc": "acc",
    "val_mae": "MAE",
}


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, float):
        if value.is_integer():
            return f"{value:.0f}"
        return f"{value:.3f}" if 0.01 <= abs(value) < 0.9995 else f"{value:.4g}"
    return str(value)
