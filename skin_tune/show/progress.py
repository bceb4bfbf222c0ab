"""Progress of long work, and the summary of packs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from skin_tune.config import TrialConfig
from skin_tune.data.loading.sampling import draws_per_class
from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.subject_split import SPLITS, shared_subjects
from skin_tune.data.preparation.pack_builder import Prepared
from skin_tune.model.class_weights import class_weights
from skin_tune.show.console import open_console
from skin_tune.show.tables import Column, print_columns
from skin_tune.storage.run_paths import quarantine_path
from skin_tune.text.wording import counted

_LOG_SECONDS = 10.0


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
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


def print_prepared(outcome: Prepared) -> None:
    """The summary of one prepared region."""
    console = open_console()
    if outcome.error:
        return
    pack = open_pack(outcome.path)
    console.print(f"{outcome.region}: {counted(len(pack.labels), 'crop')} of {pack.info.size} px -> {outcome.path}")
    _print_shared(console, pack)
    _print_counts(console, pack)
    shared = shared_subjects(np.array([SPLITS.index(part) for part in pack.split]), pack.subjects.tolist())
    subjects = len(set(pack.subjects.tolist()))
    assert not shared  # prepare has refused to write such a pack
    console.print(f"no subject is in two splits ({counted(subjects, 'subject')} checked), nor is a picture")
    if outcome.not_visible:
        have = "has" if outcome.not_visible == 1 else "have"
        console.print(f"{counted(outcome.not_visible, 'label')} {have} no box or no grade (part not visible): left out")
    if outcome.left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in outcome.left_out.most_common())
        console.print(f"left out: {kinds}")
    if outcome.quarantined:
        reasons = ", ".join(f"{count} {reason}" for reason, count in outcome.quarantined.most_common())
        where, rows = quarantine_path(outcome.path).name, counted(outcome.quarantined.total(), "row")
        console.print(f"{rows} in quarantine: {reasons} ({where} says of each why)")
    for note in outcome.notes:
        console.print(f"note: {note}")
    for warning in outcome.warnings:
        console.print(f"warning: {warning}")


def print_pack(pack: Pack) -> None:
    """Class list and counts, split, the oversampling plan of the default config, class-balanced weights."""
    console = open_console()
    info, config = pack.info, TrialConfig()
    console.print(f"{info.region}: {counted(len(pack.labels), 'crop')} of {info.size} px, pack {info.pack_id}")
    console.print(f"number of classes: {len(pack.classes)}")
    console.print(f"class list: {', '.join(pack.classes)} ({'ordinal' if info.ordinal else 'nominal'})")
    _print_shared(console, pack)
    console.print(info.split_words)
    _print_counts(console, pack)
    current = pack.class_counts("train")
    target = draws_per_class(config, current) if current.any() else current
    console.print()
    console.print(
        f"oversampling plan of the default config (oversample={config.oversample}), training images per epoch"
    )
    changes = [*(target - current), (target - current).sum()]
    print_columns(
        console,
        [
            Column("class", [*pack.classes, "all"], left=True),
            Column("current", [*map(str, current), str(current.sum())]),
            Column("->", ["->"] * len(changes)),
            Column("target", [*map(str, target), str(target.sum())]),
            Column("change", [f"{'-' if count < 0 else '+'} {abs(count)}" for count in changes]),
        ],
        total=True,
    )
    _print_weights(console, pack)


def _print_weights(console: Console, pack: Pack) -> None:
    """The weight that class-balanced loss gives each class, for usual betas and the default config's."""
    counts, default = pack.class_counts("train"), TrialConfig.beta
    console.print()
    console.print(
        f"class-balanced weights, from the training images as they are (1 on average; the default is beta={default})"
    )
    if not counts.all():
        empty = ", ".join(name for name, count in zip(pack.classes, counts, strict=True) if not count)
        console.print(f"none: class {empty} has no training image, and would have an infinite weight")
        return
    betas = sorted({*_BETAS, default})
    weights = [
        Column(f"beta={beta:g}", [f"{weight:.3f}" for weight in class_weights(counts, beta)], int(beta != default))
        for beta in betas
    ]
    names = Column("class", pack.classes, left=True)
    print_columns(console, [names, Column("training images", [str(count) for count in counts], 2), *weights])


_BETAS = (0.9, 0.99, 0.999, 0.9999)


def _print_shared(console: Console, pack: Pack) -> None:
    if pack.info.crops is not None:
        console.print(f"its crops are shared: they lie beside it in {pack.info.crops.file}")


def _print_counts(console: Console, pack: Pack) -> None:
    """Images and subjects of each class, split by split; where it is narrow, of subjects only those of training."""
    classes = [*pack.classes, None]
    columns = [Column("class", [name or "all" for name in classes], left=True)]
    for part, drops in zip((*SPLITS, None), ((0, 2), (0, 3), (0, 3), (1, 4)), strict=True):
        rows = [_rows_of(pack, part, label if name is not None else None) for label, name in enumerate(classes)]
        images = [str(each.sum()) for each in rows]
        subjects = [str(len(set(pack.subjects[each].tolist()))) for each in rows]
        columns += [
            Column(f"{part or 'all'}\n{kind}", cells, drop)
            for kind, cells, drop in zip(("images", "subjects"), (images, subjects), drops, strict=True)
        ]
    print_columns(console, columns, total=True)


def _rows_of(pack: Pack, part: str | None, label: int | None) -> npt.NDArray[np.bool_]:
    """Which rows of a pack are of a split and of a class; None stands for all."""
    rows = np.ones(len(pack.labels), bool) if part is None else pack.split == part
    return rows if label is None else rows & (pack.labels == label)
