"""Trials as wandb runs, handed to a process of their own as they go."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.text.numbers import none_if_nan
from skin_tune.tuning.tracking.wandb_settings import configured_mode

CLOSING_SECONDS = 30
"""How long wandb may stand still at the end of an experiment before it is given up."""

_SHARED_CORE = "WANDB_SERVICE"
"""Where a process that has used wandb, such as a notebook, leaves the address of its wandb-core, which ends with it."""

_MOST_RESTARTS = 3
"""How often a process that was killed is started anew: what kills it each time will do so again."""


class WandbProcess:
    """The process that writes runs. Nothing here waits for wandb, and nothing fails because of it.

    `mode` is online, offline or disabled; None: WANDB_MODE if that is set, else online where an API key is configured
    and offline where not.
    """

    def __init__(self, storage: Location, mode: str | None):
        self.paths = RunPaths(storage)
        self._mode = configured_mode(mode)
        self._process: subprocess.Popen[str] | None = None
        self._replays: list[tuple[str, Callable[[int], None]]] = []
        self._deaths: list[int] = []
        self._sent = 0
        if self._mode != "disabled":
            self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
            self._start()

    def _start(self) -> None:
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._sent = 0
        self._moved = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "skin_tune.tuning.tracking.wandb_process"],
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._moved,
            text=True,
            env={name: value for name, value in os.environ.items() if name != _SHARED_CORE},
            start_new_session=True,  # Ctrl-C ends the experiment, which then closes its runs
        )
        self._messages.put({"folder": str(self.paths.wandb.resolve()), "mode": self._mode})
        threading.Thread(target=self._feed, args=(self._process, self._messages), daemon=True).start()

    def on_restart(self, experiment: str, replay: Callable[[int], None]) -> None:
        """Register `replay`, which sends what was lost where a process that was killed, as for memory, is replaced.

        It is given how many messages the old one had carried out.
        """
        self._replays.append((experiment, replay))

    def send(self, **message: Any) -> int:
        """Hand over a message, which must be plain values; its number, from 1."""
        if self._process is not None and self._process.poll() is not None:
            self._restart(self._process.returncode)
        if self._process is not None:
            self._messages.put(message)
        self._sent += 1
        return self._sent

    def close(self, upload_seconds: float = 0.0) -> str:
        """End the runs that are open, of which files may take long to upload; what the user should know, or nothing."""
        if self._mode == "disabled":
            return ""
        late = ""
        while self._process is not None:
            self._messages.put(None)
            try:
                self._wait_while_it_moves(self._process, CLOSING_SECONDS + upload_seconds)
            except subprocess.TimeoutExpired as stuck:
                os.killpg(self._process.pid, signal.SIGKILL)
                files = self.paths.wandb / "wandb"
                late = f"wandb: no answer for {stuck.timeout:.0f} s; upload later with: wandb sync {files}/*run-*"
                break
            if not self._process.returncode:
                break
            self._restart(self._process.returncode)
        lost = self._process is None
        self._process = None
        self._moved.close()
        with self._said:
            self._said.seek(0)
            return "\n".join(filter(None, [*self._said.read().splitlines(), late, self._deaths_in_words(lost)]))

    def _restart(self, exit_code: int) -> None:
        self._deaths.append(exit_code)
        done = os.fstat(self._moved.fileno()).st_size
        self._moved.close()
        self._process = None
        if len(self._deaths) <= _MOST_RESTARTS:
            self._start()
            for _, replay in self._replays:
                replay(done)

    def _deaths_in_words(self, lost: bool) -> str:
        if not self._deaths:
            return ""
        times = f"{len(self._deaths)} times" if len(self._deaths) > 1 else "once"
        how = ", ".join(sorted({end_in_words(code) for code in self._deaths}))
        if not lost:
            return f"wandb: its process died {times} ({how}); what was lost with it has been written again"
        names = {experiment for experiment, _ in self._replays}
        commands = "; ".join(f"skin-tune wandb-sync {name} --storage {self.paths.storage}" for name in sorted(names))
        return f"wandb: its process died {times} ({how}), and runs are incomplete; write them again with: {commands}"

    def _wait_while_it_moves(self, process: subprocess.Popen[str], seconds: float) -> None:
        """Raise TimeoutExpired where the process does nothing for so many seconds and does not end."""
        done, until = 0, time.monotonic() + seconds
        while process.poll() is None:
            if (size := os.fstat(self._moved.fileno()).st_size) > done:
                done, until = size, time.monotonic() + seconds
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(process.args, seconds)
            time.sleep(0.05)

    @staticmethod
    def _feed(process: subprocess.Popen[str], messages: "queue.SimpleQueue[dict[str, Any] | None]") -> None:
        assert process.stdin is not None
        try:
            with process.stdin:
                while (message := messages.get()) is not None:
                    process.stdin.write(json.dumps(message) + "\n")
                    process.stdin.flush()
        except OSError:  # the process has ended
            return


class WandbLog:
    """One wandb run per trial of an experiment."""

    def __init__(self, process: WandbProcess, region: str, experiment: str):
        self._process, self._region, self._experiment = process, region, experiment
        self._ends: dict[str, int | None] = {}
        """Trials whose runs were opened, and by which message they were ended."""

    def on_restart(self, replay: Callable[[list[str]], None]) -> None:
        """Have `replay` send what a writer that was killed has lost, by the trials whose runs it had not closed."""

        def lost(done: int) -> None:
            self._ends = {trial: end for trial, end in self._ends.items() if end is None or end > done}
            replay(list(self._ends))

        self._process.on_restart(self._experiment, lost)

    def start(
        self,
        trial: str,
        config: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]] = (),
        run_id: str | None = None,
    ) -> None:
        """A trial starts, or goes on after the epochs of `history`, in the run `run_id` or in its own."""
        self._ends[trial] = None
        about = run_of(self._process.paths, self._region, self._experiment, trial, config, history)
        self._send("start", trial, **about, id=run_id)

    def rebuild(
        self, trial: str, config: Mapping[str, Any], history: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> None:
        """See to it that the run of a trial that is over is whole."""
        about = run_of(self._process.paths, self._region, self._experiment, trial, config, history)
        self._ends[trial] = self._send("rebuild", trial, **about, end=end_of(row), trust_note=True)

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
        """Log test metrics; the confusion matrix [K][K] has the true class by row."""
        counts = [list(row) for row in confusion]
        self._send("test", trial, metrics=_plain(metrics), confusion=counts, classes=list(classes))

    def artifact(self, trial: str, name: str, files: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        """Log a model's files, by their names in the artifact `name`."""
        self._send("artifact", trial, name=name, files=dict(files), metadata=dict(metadata))

    def end(self, trial: str, row: Mapping[str, Any]) -> None:
        """A trial is over; `row` is its row in the store."""
        self._ends[trial] = self._send("end", trial, **end_of(row))

    def _send(self, do: str, trial: str, **content: Any) -> int:
        return self._process.send(do=do, run=f"{self._region}/{self._experiment}/{trial}", **content)


def run_of(
    paths: RunPaths,
    region: str,
    experiment: str,
    trial: str,
    config: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The message that opens a trial's run."""
    return {
        "labels": {"region": region, "experiment": experiment, "trial": trial},
        "config": dict(config),
        "history": [_plain(metrics) for metrics in history],
        "state": str(paths.wandb_state(region, experiment, trial)),
    }


def end_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The message that ends a trial's run, from its row in the store."""
    best = {f"best_{name}": value for name, value in row.items() if name.startswith("val_")}
    return {
        "status": row["status"],
        "error": row.get("error"),
        "best": _plain({"best_epoch": row.get("best_epoch"), **best}),
    }


def ending(status: str, epochs: int) -> dict[str, Any]:
    """The note of a run that was closed: the status of its trial, and after how many epochs."""
    return {"status": status, "epochs": epochs}


def end_in_words(exit_code: int) -> str:
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the store has no value for: a gap is not logged, neither as null nor as NaN."""
    return {name: value for name, value in values.items() if name != "trial_id" and none_if_nan(value) is not None}
