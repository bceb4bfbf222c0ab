"""One live line while an experiment runs."""

import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from ray.tune import Callback
from ray.tune.experiment import Trial

from skin_tune.results.store import ExperimentWriter, usable

_LIVE_SECONDS = 0.5
_LOG_SECONDS = 30.0
_NOT_DONE = ("running", "interrupted")
"""Statuses of trials that run, or wait to go on from where an earlier run was cut off."""


class ProgressCallback(Callback):
    """Trials done / running / stopped, best so far, pace and time left.

    Rewrites its line on a terminal; in a log it writes a plain line now and then.
    """

    def __init__(
        self, writers: Sequence[ExperimentWriter], metric: str | None, trials: int, stream: TextIO | None = None
    ):
        self._writers, self._metric, self._trials = writers, metric, trials
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._started = time.monotonic()
        self._earlier = sum(row["status"] not in _NOT_DONE for row in self._rows())
        self._shown_at = -float("inf") if self._live else self._started

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        wait = _LIVE_SECONDS if self._live else _LOG_SECONDS
        if time.monotonic() - self._shown_at >= wait:
            self._show("\r\x1b[2K" if self._live else "", "" if self._live else "\n")

    def close(self) -> None:
        """Leave the last state of the line behind."""
        if self._live:
            self._show("\r\x1b[2K", "\n")

    def _show(self, before: str, after: str) -> None:
        self._shown_at = time.monotonic()
        seconds = time.monotonic() - self._started
        line = progress_line(self._rows(), self._metric, self._trials, seconds, self._earlier)
        if self._live:  # a line that wraps could not be rewritten
            line = line[: shutil.get_terminal_size().columns - 1]
        self._stream.write(before + line + after)
        self._stream.flush()

    def _rows(self) -> list[dict[str, Any]]:
        return [row for writer in self._writers for row in writer.trials()]


def progress_line(rows: list[dict[str, Any]], metric: str | None, trials: int, seconds: float, earlier: int = 0) -> str:
    """``5/12 trials done (3 stopped early), 2 running | best val_balanced_acc 0.512 | 2.1 trials/min, 3m20s left``

    Without a `metric`, as where the trials are of several regions, no best is told. `earlier` trials were done before
    the `seconds` began, as in a resumed experiment.
    """
    statuses = [row["status"] for row in rows]
    running = statuses.count("running")
    done = sum(status not in _NOT_DONE for status in statuses)
    asides = [
        f"{statuses.count(status)} {name}"
        for status, name in (("stopped_early", "stopped early"), ("diverged", "diverged"), ("failed", "failed"))
        if status in statuses
    ]
    parts = [f"{done}/{trials} trials done" + (f" ({', '.join(asides)})" if asides else "") + f", {running} running"]
    best = max((row[metric] for row in rows if usable(row, metric)), default=None) if metric else None
    if best is not None:
        parts.append(f"best {metric} {best:.3f}")
    if done > earlier:
        left = seconds / (done - earlier) * max(trials - done, 0)
        parts.append(f"{60 * (done - earlier) / max(seconds, 1e-9):.1f} trials/min, {duration(left)} left")
    else:
        parts.append(duration(seconds))
    return " | ".join(parts)


def duration(seconds: float) -> str:
    """``45s``, ``3m20s``, ``2h05m``"""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
