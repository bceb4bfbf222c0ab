"""What people see while work runs, and of packs."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack, open_pack
from skin_tune.data.packing import Prepared
from skin_tune.data.sampling import target_counts
from skin_tune.data.split import SPLITS, shared_subjects
from skin_tune.paths import quarantine_path
from skin_tune.show.console import open_console

_LOG_SECONDS = 10.0


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = open_console(stderr=True)
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
    console = open_console(stderr=True)
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
    console = open_console()
    if outcome.error:
        return
    pack = open_pack(outcome.path)
    console.print(f"{outcome.region}: {len(pack.labels)} crops of {pack.info.size} px -> {outcome.path}")
    _print_counts(console, pack)
    shared = shared_subjects(np.array([SPLITS.index(part) for part in pack.split]), pack.subjects.tolist())
    subjects = len(set(pack.subjects.tolist()))
    assert not shared  # prepare has refused to write such a pack
    console.print(f"no subject is in two splits ({subjects} subjects checked), nor is a picture")
    if outcome.not_visible:
        console.print(f"{outcome.not_visible} labels have no box or no grade (part not visible): left out")
    if outcome.left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in outcome.left_out.most_common())
        console.print(f"left out: {kinds}")
    if outcome.quarantined:
        reasons = ", ".join(f"{count} {reason}" for reason, count in outcome.quarantined.most_common())
        where = quarantine_path(outcome.path).name
        console.print(f"{outcome.quarantined.total()} rows in quarantine: {reasons} ({where} says of each why)")
    for note in outcome.notes:
        console.print(f"note: {note}")
    for warning in outcome.warnings:
        console.print(f"warning: {warning}")


def print_pack(pack: Pack) -> None:
    """Class list and counts, split, and the oversampling plan of the default config."""
    console = open_console()
    info, config = pack.info, TrialConfig()
    console.print(f"{info.region}: {len(pack.labels)} crops of {info.size} px, pack {info.pack_id}")
    console.print(f"number of classes: {len(pack.classes)}")
    console.print(f"class list: {', '.join(pack.classes)} ({'ordinal' if info.ordinal else 'nominal'})")
    console.print(info.split_words)
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
