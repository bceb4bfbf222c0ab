"""How far an experiment has come, in one line: trials done and running, the best so far, pace, an honest time left."""

from collections.abc import Sequence

from skin_tune.results.store.remaining import WAITING, Row, epochs_left
from skin_tune.results.store.status import usable
from skin_tune.text.wording import duration

_ASIDES = (("stopped_early", "stopped early"), ("diverged", "diverged"), ("failed", "failed"))
_EPOCHS_SHOWN = 4
"""Trials that run at a time of which each one's epoch is told."""
_ANY_WIDTH = 10_000
_SHORTER = ((1, 1, 1, 1, 1), (0, 1, 1, 1, 1), (0, 1, 0, 1, 1), (0, 1, 0, 0, 1), (0, 0, 0, 0, 1), (0, 0, 0, 0, 0))
"""Whether a line tells asides, epochs, the name of the metric, the pace, and the best so far."""


def progress_line(
    rows: Sequence[Row],
    metric: str | None,
    trials: int,
    seconds: float,
    *,
    done_before: int = 0,
    epochs_before: int = 0,
    width: int = _ANY_WIDTH,
) -> str:
    """``5/12 trials done (3 stopped early), 2 running, in epochs 3/6 1/6 | best val_balanced_acc 0.512 | ...``

    Ends with the pace and the time left or, before the first epoch has ended, with what is waited for. Without a
    `metric`, as where the trials are of several regions, no best is told. `seconds` have gone by since the first trial
    began, or since the first is being waited for; what was done before them tells no pace. What there is no room for in
    `width` columns is left out, the time left last.
    """
    running = [row for row in rows if row.get("status") == "running"]
    done = [row for row in rows if row.get("status") not in ("running", WAITING)]
    best = max((row[metric] for row in rows if usable(row, metric)), default=None) if metric else None
    pace, end = _end(rows, running, done, trials, seconds, done_before, epochs_before)
    line = ""
    for asides, epochs, name, speed, score in _SHORTER:
        parts = [
            f"{len(done)}/{trials} trials done"
            + (_asides(done) if asides else "")
            + (f", {len(running)} running" if running else "")
            + (_epochs(running) if epochs else "")
        ]
        if best is not None and score:
            parts.append(f"best {metric} {best:.3f}" if name else f"best {best:.3f}")
        line = " | ".join([*parts, pace + end if speed else end])
        if len(line) <= width:
            break
    return line


def _asides(done: Sequence[Row]) -> str:
    statuses = [row["status"] for row in done]
    told = [f"{statuses.count(status)} {name}" for status, name in _ASIDES if status in statuses]
    return f" ({', '.join(told)})" if told else ""


def _epochs(running: Sequence[Row]) -> str:
    """Which epoch each trial is in."""
    now = [(int(row.get("epochs") or 0) + 1, int(row["config/epochs"])) for row in running if row.get("config/epochs")]
    if not now:
        return ""
    if len(now) > _EPOCHS_SHOWN:
        return f", in epochs {min(now)[0]} to {max(now)[0]} of {max(full for _, full in now)}"
    return f", in {'epoch' if len(now) == 1 else 'epochs'} " + " ".join(f"{epoch}/{full}" for epoch, full in now)


def _end(
    rows: Sequence[Row],
    running: Sequence[Row],
    done: Sequence[Row],
    trials: int,
    seconds: float,
    done_before: int,
    epochs_before: int,
) -> tuple[str, str]:
    """The pace, if there is one yet, and the time left or what is waited for."""
    if len(done) >= trials and not running:
        return "", duration(seconds)
    epochs = sum(row.get("epochs") or 0 for row in rows) - epochs_before
    if not running and epochs <= 0:
        return "", f"starting the first trials, {duration(seconds)}"
    if epochs <= 0:
        return "", f"in the first epoch for {duration(seconds)}"
    ended = len(done) - done_before
    pace = f"{60 * ended / max(seconds, 1e-9):.1f} trials/min, " if ended > 0 else ""
    sure = "about" if ended > 0 else "at most"  # trials may yet be stopped early
    return pace, f"{sure} {duration(epochs_left(rows, trials) * seconds / epochs)} left"
