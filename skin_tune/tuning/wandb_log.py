"""Trials as wandb runs, handed to a process of their own as they go."""

import json
import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skin_tune.errors import EnvironmentVariableError, ExperimentError
from skin_tune.paths import RunPaths
from skin_tune.text import has_control, shown

MODES = ("online", "offline", "disabled")
CLOSING_SECONDS = 30
"""How long wandb may stand still at the end of an experiment before it is given up."""


_OTHER_MODES = ("shared", "dryrun", "run")
"""What WANDB_MODE may say, too, for wandb's own commands: here it leaves the mode to the API key."""

_RESERVED = frozenset("/\\#?%:")
"""Characters that no id of a run and no name of a project has."""


def check_mode(mode: str | None) -> None:
    """Raise ExperimentError for what is no wandb mode; None leaves it to WANDB_MODE, and that to the API key.

    Raises EnvironmentVariableError for what WANDB_MODE or WANDB_PROJECT cannot say.
    """
    if mode is not None and mode not in MODES:
        raise ExperimentError(f"--wandb {mode!r} is not one of {', '.join(MODES)}")
    configured = os.environ.get("WANDB_MODE")
    if configured and configured not in (*MODES, *_OTHER_MODES):
        raise EnvironmentVariableError(f"WANDB_MODE={shown(configured)} is not one of {', '.join(MODES)}")
    _given_name("WANDB_PROJECT")


def run_id_given() -> str | None:
    """The run that wandb's agent wants a training to be. Raises EnvironmentVariableError for an impossible name."""
    return _given_name("WANDB_RUN_ID")


def _given_name(variable: str) -> str | None:
    given = os.environ.get(variable) or None
    if given is not None and (len(given) > 128 or _RESERVED & set(given) or has_control(given) or not given.strip()):
        raise EnvironmentVariableError(
            f"{variable}={shown(given)} is not of at most 128 characters, without {' '.join(sorted(_RESERVED))}"
        )
    return given


class WandbProcess:
    """The process that writes runs. Nothing here waits for wandb, and nothing fails because of it.

    `mode` is online, offline or disabled; None: WANDB_MODE if that is set, else online where an API key is configured
    and offline where not.
    """

    def __init__(self, storage: Path, mode: str | None):
        self.paths = RunPaths(storage)
        if mode is None:
            configured = os.environ.get("WANDB_MODE")
            mode = configured if configured in MODES else "auto"
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        if mode == "disabled":
            return
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._moved = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "skin_tune.tuning.wandb_writer"],
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._moved,
            text=True,
            start_new_session=True,  # Ctrl-C ends the experiment, which then closes its runs
        )
        self.send(folder=str(self.paths.wandb.resolve()), mode=mode)
        self._thread = threading.Thread(target=self._feed, args=(self._process,), daemon=True)
        self._thread.start()

    def send(self, **message: Any) -> None:
        """Hand over a message, which must be plain values."""
        if self._process is not None:
            self._messages.put(message)

    def close(self) -> str:
        """End the runs that are open; what the user should know, or nothing."""
        if self._process is None:
            return ""
        self._messages.put(None)
        try:
            self._wait_while_it_moves(self._process)
            late = ""
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            files = self.paths.wandb / "wandb"
            late = f"wandb: no answer for {CLOSING_SECONDS} s; upload later with: wandb sync {files}/*run-*"
        self._process = None
        self._moved.close()
        with self._said:
            self._said.seek(0)
            return "\n".join([*self._said.read().splitlines(), late]).strip()

    def _wait_while_it_moves(self, process: subprocess.Popen[str]) -> None:
        """Raise TimeoutExpired where the process does nothing for CLOSING_SECONDS and does not end."""
        done, until = 0, time.monotonic() + CLOSING_SECONDS
        while process.poll() is None:
            if (size := os.fstat(self._moved.fileno()).st_size) > done:
                done, until = size, time.monotonic() + CLOSING_SECONDS
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(process.args, CLOSING_SECONDS)
            time.sleep(0.05)

    def _feed(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        try:
            with process.stdin:
                while (message := self._messages.get()) is not None:
                    process.stdin.write(json.dumps(message) + "\n")
                    process.stdin.flush()
        except OSError:  # the process has ended
            return


class WandbLog:
    """One wandb run per trial of an experiment."""

    def __init__(self, process: WandbProcess, region: str, experiment: str):
        self._process, self._region, self._experiment = process, region, experiment

    def start(
        self,
        trial: str,
        config: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]] = (),
        run_id: str | None = None,
    ) -> None:
        """A trial starts, or goes on after the epochs of `history`, in the run `run_id` or in its own."""
        state = self._process.paths.wandb_state(self._region, self._experiment, trial)
        rows = [_plain(metrics) for metrics in history]
        labels = {"region": self._region, "experiment": self._experiment, "trial": trial}
        self._send("start", trial, labels=labels, config=dict(config), history=rows, state=str(state), id=run_id)

    def log(self, trial: str, metrics: Mapping[str, Any]) -> None:
        """One epoch's metrics."""
        self._send("log", trial, metrics=_plain(metrics))

    def test(
        self,
        trial: str,
        metrics: Mapping[str, float | None],
        confusion: Sequence[Sequence[int]],
        classes: Sequence[str],
    ) -> None:
        """What a model scores on the test split; its confusion matrix [K][K] has the true class by row."""
        counts = [list(row) for row in confusion]
        self._send("test", trial, metrics=_plain(metrics), confusion=counts, classes=list(classes))

    def end(self, trial: str, row: Mapping[str, Any]) -> None:
        """A trial is over; `row` is its row in the store."""
        best = {f"best_{name}": value for name, value in row.items() if name.startswith("val_") and value is not None}
        self._send(
            "end",
            trial,
            status=row["status"],
            error=row.get("error"),
            best={"best_epoch": row.get("best_epoch"), **_plain(best)},
        )

    def _send(self, do: str, trial: str, **content: Any) -> None:
        self._process.send(do=do, run=f"{self._region}/{self._experiment}/{trial}", **content)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the store has no value for: a gap is not logged, neither as null nor as NaN."""
    return {name: value for name, value in values.items() if name != "trial_id" and not _is_gap(value)}


def _is_gap(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
