"""Output at the end of a command: tables of trials, of regions, of a refitted model."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from skin_tune.errors import SkinTuneError, StoreError
from skin_tune.metrics import ADJUSTED, DECISION_METRICS, is_adjusted, val_metric
from skin_tune.show.console import open_console
from skin_tune.show.csv_output import frame_csv
from skin_tune.show.tables import Column, print_columns
from skin_tune.show.trial_columns import RANK, SEARCHED, cell, chosen_columns, ranked_columns, trial_column
from skin_tune.text.escaping import escaped
from skin_tune.text.wording import counted, duration

if TYPE_CHECKING:
    import pandas as pd

    from skin_tune.tuning.experiment.runner import Outcome
    from skin_tune.tuning.local_training import TrainOutcome
    from skin_tune.tuning.refit.runner import Refit

TABLE_FORMATS = ("table", "csv", "json")


def print_training(outcome: "TrainOutcome") -> None:
    """How a single training ended."""
    plain, adjusted = (
        ", ".join(f"{name} {outcome.best[name]:.3f}" for name in names if name in outcome.best)
        for names in (DECISION_METRICS[:2], DECISION_METRICS[2:])
    )
    print(f"{outcome.name}: best epoch {outcome.best_epoch} of {outcome.epochs}: {plain}")
    if adjusted:
        print(adjusted)
    print(escaped(f"model {outcome.folder / 'best.pt'}; go on from {outcome.folder / 'last.pt'}"))
    if outcome.wandb:
        print(outcome.wandb, file=sys.stderr)


def print_refit(outcome: "Refit") -> None:
    """A refitted model's test figures, class by class, and where its files are."""
    from skin_tune.results.report.model_card import times

    console, facts = open_console(), outcome.facts
    if not outcome.new:
        console.print(f"{outcome.model} is complete already; the test split was not opened again")
    headings = {"train_images": "training\nimages", "test_images": "test\nimages"}
    headings |= {"precision": "precision", "recall": "recall", "f1": "F1"}
    names = Column("class", [str(row["class"]) for row in facts.classes], left=True)
    figures = [Column(heading, [cell(row[name]) for row in facts.classes]) for name, heading in headings.items()]
    print_columns(console, [names, *figures])
    adjusted = ADJUSTED if is_adjusted(facts.metric) else ""
    names_of_scores = [f"test_{name}{adjusted}" for name in ("balanced_acc", "macro_f1")]
    scores = ", ".join(f"{name} {cell(facts.metrics[name])}" for name in names_of_scores)
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
    console = open_console()
    searched = [f"config/{name}" for name in outcome.searched]
    columns = ranked_columns(outcome.rows, searched, places=False, sort=outcome.metric)
    _print_left_out(console, print_columns(console, columns), "skin-tune trials --columns chooses others")
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
    console.print(f"{counted(len(statuses), 'trial')}{spent}: {counts}{here}")
    judged = [
        row
        for row in outcome.rows
        if row["status"] in ("completed", "stopped_early") and row["trial_id"] not in outcome.interrupted
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
    known = {name: best[f"config/{name}"] for name in outcome.searched}
    values = " ".join(f"{name}={value}" for name, value in known.items() if value is not None)
    console.print(f"best: {values}", soft_wrap=True)
    console.print(f"see again: skin-tune trials --storage {storage} --experiment {outcome.experiment}", soft_wrap=True)


def print_outcomes(ends: Mapping[str, "Outcome | SkinTuneError"], storage: Path, price: float | None = None) -> None:
    """A row for each region that was tuned, or the reason why it has no result."""
    console = open_console()
    good = {region: end for region, end in ends.items() if not isinstance(end, SkinTuneError)}
    print_columns(console, _region_columns(good, price))
    total = sum(_gpu_seconds(end) for end in good.values())
    if total:
        console.print(f"cost of all: {_cost(total, price)}")
    for region, end in ends.items():
        if isinstance(end, SkinTuneError):
            console.print(f"{region}: {end}", soft_wrap=True)
            continue
        for line in _endings(end):
            console.print(f"{region}: {line}", soft_wrap=True)
    console.print(f"see again: skin-tune trials --storage {storage}", soft_wrap=True)


def _region_columns(ends: Mapping[str, "Outcome"], price: float | None) -> list[Column]:
    best, rows = [end.rows[0] for end in ends.values()], [end.rows for end in ends.values()]
    balanced_acc, macro_f1 = (
        [val_metric(name, is_adjusted(end.metric)) for end in ends.values()] for name in ("balanced_acc", "macro_f1")
    )
    hours = [_gpu_seconds(end) / 3600 for end in ends.values()]
    stopped = [sum(row["status"] == "stopped_early" for row in of) for of in rows]
    full = [sum(int(row["config/epochs"]) for row in of) for of in rows]
    return [
        Column("region", list(ends), left=True),
        Column("trials", [str(len(of)) for of in rows], 5),
        Column("stopped early", [str(count) for count in stopped], 7),
        Column("best trial", [str(row["trial_id"]) for row in best], left=True),
        Column("balanced acc", [cell(row.get(name)) for row, name in zip(best, balanced_acc, strict=True)]),
        Column("macro F1", [cell(row.get(name)) for row, name in zip(best, macro_f1, strict=True)], 2),
        Column("epochs run", [str(sum(row["epochs"] for row in of)) for of in rows], 4),
        Column("of", [str(count) for count in full], 4),
        Column("GPU-hours", [f"{each:.3g}" for each in hours], 3),
        *([Column("cost", [f"{each * price:.2f}" for each in hours], 1)] if price is not None else []),
    ]


def _gpu_seconds(outcome: "Outcome") -> float:
    return float(sum(row.get("gpu_seconds") or 0.0 for row in outcome.rows))


def _endings(outcome: "Outcome") -> Iterator[str]:
    """Lines on what ended an experiment before all of its trials had run, and on what its space lacks."""
    if outcome.reached:
        yield f"{outcome.reached}: the experiment {'ends' if outcome.seconds is not None else 'has ended'}"
    if outcome.interrupted:
        how = outcome.reached.how_to_resume if outcome.reached else "--resume"
        them = "it" if len(outcome.interrupted) == 1 else "them"
        was = "was" if len(outcome.interrupted) == 1 else "were"
        yield f"{counted(len(outcome.interrupted), 'trial')} {was} interrupted; {how} resumes {them}"
    for warning in outcome.warnings:
        yield f"warning: {warning}"


def cost_line(rows: Sequence[Mapping[str, Any]], price: float | None) -> str:
    """A line on the cost of trials; none where they held no GPU."""
    gpu_seconds = sum(row.get("gpu_seconds") or 0.0 for row in rows)
    return f"cost: {_cost(gpu_seconds, price)}" if gpu_seconds else ""


def _cost(gpu_seconds: float, price: float | None) -> str:
    hours = gpu_seconds / 3600
    return f"{hours:.3g} GPU-hours" + (f", {hours * price:.2f} in money" if price is not None else "")


def check_format(form: str) -> None:
    """Raise StoreError for a format that `print_trials` does not know."""
    if form not in TABLE_FORMATS:
        raise StoreError(f"--format {form!r} is not one of {', '.join(TABLE_FORMATS)}")


def print_trials(frame: "pd.DataFrame", form: str, columns: str | None = None, sort: str = "val_balanced_acc") -> None:
    """Trials as a table for people, or as csv or json for programs.

    `columns`, separated by commas, are shown; if None a table has those there is room for, csv and json have all.
    Raises StoreError for a column that there is not.
    """
    from skin_tune.results.store.ranking import varied

    chosen = chosen_columns(columns, list(map(str, frame))) if columns is not None else None
    if chosen is not None and form != "table":
        frame = frame.assign(**{RANK: range(1, len(frame) + 1)})[chosen]
    if form == "csv":
        print(frame_csv(frame), end="")
        return
    if form == "json":
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        print(json.dumps(rows, indent=2, default=str))  # pandas' own JSON rounds small numbers to zero
        return
    console, rows = open_console(), frame.to_dict("records")
    if chosen is not None:
        print_columns(console, [trial_column(name, rows) for name in chosen])
        return
    left_out = print_columns(console, ranked_columns(rows, varied(frame), places=True, sort=sort))
    for name in ("region", "experiment"):
        if any(column.heading == name for column in left_out):
            console.print(f"{name} of all: {rows[0][name]}")
    _print_left_out(console, left_out, "--columns chooses others, --format csv has all")


def _print_left_out(console: Console, columns: Sequence[Column], hint: str) -> None:
    """Say what a terminal had no room for; hyper-parameters, which go first, are counted."""
    others = [column.heading for column in columns if column.drop < SEARCHED]
    if count := len(columns) - len(others):
        others.append(counted(count, "hyper-parameter"))
    if others:
        console.print(f"no room for {', '.join(others)}; {hint}")
