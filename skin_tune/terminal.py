"""What people see: progress while work runs, tables at its end."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack, open_pack
from skin_tune.data.prepare import Prepared
from skin_tune.data.sampling import target_counts
from skin_tune.data.split import SPLITS, shared_subjects
from skin_tune.errors import SkinTuneError, StoreError

if TYPE_CHECKING:
    import pandas as pd

    from skin_tune.tuning.experiment import Outcome
    from skin_tune.tuning.refit import Refit
    from skin_tune.tuning.single import TrainOutcome

_LOG_WIDTH = 160
_LOG_SECONDS = 10.0
TABLE_FORMATS = ("table", "csv", "json")


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    return console


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = _console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


@contextmanager
def counting(description: str) -> Iterator[Callable[[int, int], None]]:
    """Progress of one stage: call it with (done, total)."""
    with stages() as update:
        yield lambda done, total: update(description, done, total)


@contextmanager
def stages() -> Iterator[Callable[[str, int, int | None], None]]:
    """Progress of stages that follow one another: call it with (stage, done, total).

    A bar for each stage on a terminal, a plain line now and then in a log.
    """
    with _bar() as progress:
        tasks: dict[str, Any] = {}
        said_at = time.monotonic()

        def update(stage: str, done: int, total: int | None) -> None:
            nonlocal said_at
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)
            if progress.disable and time.monotonic() - said_at > _LOG_SECONDS:
                said_at = time.monotonic()
                progress.console.print(f"{stage}: {done}" + (f" of {total}" if total is not None else ""))

        yield update


@contextmanager
def training_bar() -> Iterator[Callable[[Mapping[str, float], int], None]]:
    """A progress bar over epochs on a terminal, a line per epoch in a log: call it with (metrics, epochs)."""
    console = _console(stderr=True)
    with _bar() as progress:
        task = progress.add_task("training", total=None)

        def update(metrics: Mapping[str, float], epochs: int) -> None:
            shown = [name for name in ("train_loss", "val_balanced_acc", "val_macro_f1") if name in metrics]
            line = "  ".join(
                [f"epoch {metrics['epoch']:.0f}/{epochs}", *(f"{name} {metrics[name]:.3f}" for name in shown)]
            )
            progress.update(task, completed=int(metrics["epoch"]), total=epochs, description=line)
            if not console.is_terminal:
                console.print(line)

        yield update


def print_prepared(outcome: Prepared) -> None:
    """The summary of one prepared region."""
    console = _console()
    if outcome.error:
        return
    pack = open_pack(outcome.path)
    console.print(f"{outcome.region}: {len(pack.labels)} crops of {pack.info.size} px -> {outcome.path}")
    _print_counts(console, pack)
    shared = shared_subjects(np.array([SPLITS.index(part) for part in pack.split]), pack.subjects.tolist())
    subjects = len(set(pack.subjects.tolist()))
    assert not shared  # prepare has refused to write such a pack
    console.print(f"no subject is in two splits ({subjects} subjects checked)")
    if outcome.not_visible:
        console.print(f"{outcome.not_visible} labels have no box or no grade (part not visible): left out")
    if outcome.quarantined:
        reasons = ", ".join(f"{count} {reason}" for reason, count in outcome.quarantined.most_common())
        console.print(f"{outcome.quarantined.total()} rows in quarantine: {reasons}")
    for warning in outcome.warnings:
        console.print(f"warning: {warning}")


def print_pack(pack: Pack) -> None:
    """Class list and counts, split, and the oversampling plan of the default config."""
    console = _console()
    info, config = pack.info, TrialConfig()
    console.print(f"{info.region}: {len(pack.labels)} crops of {info.size} px, pack {info.pack_id}")
    console.print(f"number of classes: {len(pack.classes)}")
    console.print(f"class list: {', '.join(pack.classes)}")
    ratios = "/".join(str(ratio) for ratio in info.split_ratios)
    console.print(f"split {ratios} by subject, seed {info.split_seed}")
    _print_counts(console, pack)
    current = pack.class_counts("train")
    target = target_counts(current, config.oversample, config.target_samples_per_class)
    console.print(
        f"\noversampling plan of the default config (oversample={config.oversample}), training images per epoch"
    )
    table = Table("class", box=None)
    for heading in ("current", "->", "target", "added"):
        table.add_column(heading, justify="right")
    for name, now, goal in zip(pack.classes, current, target, strict=True):
        table.add_row(name, str(now), "->", str(goal), f"+ {goal - now}")
    table.add_row("all", str(current.sum()), "->", str(target.sum()), f"+ {(target - current).sum()}", style="bold")
    console.print(table)


def _print_counts(console: Console, pack: Pack) -> None:
    table = Table("class", box=None)
    for heading in (*SPLITS, "all"):
        table.add_column(f"{heading} images", justify="right")
        table.add_column("subjects", justify="right")
    for label, name in enumerate([*pack.classes, None]):
        cells = []
        for part in (*SPLITS, None):
            rows = np.ones(len(pack.labels), bool) if part is None else pack.split == part
            if name is not None:
                rows = rows & (pack.labels == label)
            cells += [str(rows.sum()), str(len(set(pack.subjects[rows].tolist())))]
        table.add_row(name or "all", *cells, style=None if name else "bold")
    console.print(table)


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

    console, facts = _console(), outcome.facts
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

    console = _console()
    _print_ranked(console, outcome.rows, [f"config/{name}" for name in outcome.searched])
    statuses = [row["status"] for row in outcome.rows]
    counts = ", ".join(
        f"{statuses.count(status)} {status.replace('_', ' ')}"
        for status in ("completed", "stopped_early", "diverged", "failed")
        if status in statuses
    )
    spent = "" if outcome.seconds is None else f" in {duration(outcome.seconds)}"
    console.print(f"{len(statuses)} {'trial' if len(statuses) == 1 else 'trials'}{spent}: {counts}")
    judged = [
        row
        for row in outcome.rows
        if row["status"] in ("completed", "stopped_early") and row["trial_id"] not in outcome.cut_off
    ]
    run, full = sum(row["epochs"] for row in judged), sum(int(row["config/epochs"]) for row in judged)
    if run < full:
        console.print(f"early stopping: {run} of {full} epochs run, {100 * (1 - run / full):.0f} % saved")
    if gpu_seconds := sum(row.get("gpu_seconds") or 0.0 for row in outcome.rows):
        console.print(f"cost: {_cost(gpu_seconds, price)}")
    for reason in dict.fromkeys(row["error"] for row in outcome.rows if row.get("error")):
        console.print(f"failed or diverged: {reason}")
    if outcome.cut_off:
        console.print(f"{len(outcome.cut_off)} trials were cut off; --resume goes on with them")
    best = outcome.rows[0]
    values = " ".join(f"{name}={best[f'config/{name}']}" for name in outcome.searched)
    console.print(f"best: {values}", soft_wrap=True)
    console.print(f"see again: skin-tune trials --storage {storage} --experiment {outcome.experiment}", soft_wrap=True)


def print_outcomes(ends: Mapping[str, "Outcome | SkinTuneError"], storage: Path, price: float | None = None) -> None:
    """A row for each region that was tuned, or the reason why it has no result."""
    console = _console()
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
        elif end.cut_off:
            console.print(f"{region}: {len(end.cut_off)} trials were cut off; --resume goes on with them")
    console.print(f"see again: skin-tune trials --storage {storage}", soft_wrap=True)


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
    _print_ranked(_console(), frame.to_dict("records"), varied(frame), "region", "experiment")


def _print_ranked(console: Console, rows: Sequence[Mapping[Any, Any]], searched: Sequence[str], *extra: str) -> None:
    """Print rows as they are ordered, with as many of the `searched` columns as the terminal has room for."""
    shown = list(searched)
    while True:
        table = Table(box=None)
        table.add_column("rank", justify="right", no_wrap=True)
        for heading in (*extra, "trial", "status"):
            table.add_column(heading, no_wrap=True)
        for heading in (
            "epochs",
            "best",
            *_METRIC_HEADINGS.values(),
            *(name.removeprefix("config/") for name in shown),
        ):
            table.add_column(heading, justify="right", no_wrap=True)
        for rank, row in enumerate(rows, start=1):
            words = [row[name] for name in (*extra, "trial_id", "status")]
            numbers = [row.get(name) for name in ("epochs", "best_epoch", *_METRIC_HEADINGS, *shown)]
            table.add_row(str(rank), *words, *map(_cell, numbers))
        if not shown or console.measure(table).maximum <= console.width:
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
