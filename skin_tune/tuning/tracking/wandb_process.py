"""The process that writes wandb runs: one JSON message a line on standard input, to the end of the file.

It runs apart from the driver, so that a wandb that fails, hangs or cannot be reached neither slows nor stops a trial.
What the user should know of it goes to standard output, in one line each; a dot on standard error says that a message
has been carried out: whoever waits for the end can tell slow from stuck, and what was lost if this process is killed.
"""

import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wandb
from filelock import FileLock, Timeout

from skin_tune.results.store.status import UNUSABLE
from skin_tune.storage.files import Location, atomic_write, location
from skin_tune.text.escaping import one_line
from skin_tune.tuning.tracking.wandb_artifacts import CHAMPION, log_model
from skin_tune.tuning.tracking.wandb_client import ending
from skin_tune.tuning.tracking.wandb_files import on_disk
from skin_tune.tuning.tracking.wandb_session import WandbSession

INTERRUPTED = "interrupted"
"""The state of a run whose trial can go on."""

CORE_LOST = 3
"""Exit code of a writer whose wandb-core has died."""

_CORE_IS_LOST = ("MailboxClosedError", "HandleAbandonedError", "WandbServiceConnectionError")

_DISK_SECONDS = 20
"""How long wandb's core may take to write the end of a run."""

_WRITER_SECONDS = 20
"""How long the writer of a run that was killed is waited for: less than what counts as standing still."""


class WandbWriter:
    """Writes runs below `<folder>/wandb`, one for each trial; each message names its `run`.

    `mode` is online, offline, or auto: online where an API key is configured. A trial's run id, and how the run ended,
    are noted in its `state` file; what of it has been logged, only wandb's files or its server can tell.
    """

    def __init__(self, folder: Path, mode: str):
        self._folder, self._session = folder, WandbSession(folder, mode, self.say)
        self._runs: dict[str, Any] = {}
        self._notes: dict[str, tuple[Location, dict[str, Any]]] = {}
        self._steps: dict[str, int] = {}
        self._locks: dict[tuple[str, str], FileLock] = {}

    def start(
        self,
        run: str,
        labels: dict[str, str],
        config: dict[str, Any],
        history: list[dict[str, Any]],
        state: str,
        id: str | None,
    ) -> None:
        """Open a trial's run, or its continuation, and log the epochs of `history` that are not in it yet."""
        if run not in self._runs:
            self._wait_for_others(labels)
            note, known = _read_note(state)
            run_id = id or known.get("id") or secrets.token_hex(8)
            self._notes[run] = (note, {"id": run_id})
            self._note(run)
            self._runs[run] = self._session.open(labels, config, run_id)
            if self._session.mode == "online":
                self._steps[run] = max(self._runs[run].starting_step - 1, 0)
            else:
                self._steps[run] = max(on_disk(self._folder, run_id).steps, default=0)
        for metrics in history:
            self.log(run, metrics)

    def rebuild(
        self,
        run: str,
        labels: dict[str, str],
        config: dict[str, Any],
        history: list[dict[str, Any]],
        state: str,
        end: dict[str, Any],
        trust_note: bool,
    ) -> bool:
        """Write what a trial's run lacks of its `history` and `end`; whether there was anything.

        With `trust_note` a run that is noted as ended in just this way is whole; else its files, or the server, are
        asked.
        """
        if run not in self._runs:
            self._wait_for_others(labels)
            _, known = _read_note(state)
            expected = ending(end["status"], history[-1]["epoch"] if history else 0)
            if trust_note and known.get("ended") == expected:
                return False
            if (
                self._session.mode == "offline"
                and "id" in known
                and self._is_whole(known["id"], history, end["status"])
            ):
                return False
        self.start(run, labels, config, history, state, None)
        self.end(run, **end)
        return True

    def log(self, run: str, metrics: dict[str, Any]) -> None:
        """Log one epoch, which is wandb's step, unless it has been."""
        if metrics["epoch"] > self._steps[run]:
            self._runs[run].log(metrics, step=metrics["epoch"])
            self._steps[run] = metrics["epoch"]

    def test(self, run: str, metrics: dict[str, float], confusion: list[list[int]], classes: list[str]) -> None:
        """Put test metrics into a run's summary and chart its confusion matrix."""
        self._runs[run].summary.update(metrics)
        pairs = [
            pair
            for true, row in enumerate(confusion)
            for predicted, n in enumerate(row)
            for pair in [(true, predicted)] * n
        ]
        chart = wandb.plot.confusion_matrix(
            y_true=[true for true, _ in pairs],
            preds=[predicted for _, predicted in pairs],
            class_names=classes,
            title="test split",
        )
        self._runs[run].log({"test_confusion_matrix": chart})

    def artifact(self, run: str, name: str, files: dict[str, str], metadata: dict[str, Any]) -> None:
        """Log a model's files, by their names in the artifact, and note that they were."""
        noted = self._notes[run][1]
        if noted.get("artifact") == name:  # sent again, for fear that it was lost
            return
        log_model(self._runs[run], name, files, metadata)
        noted["artifact"] = name
        self.say(f"artifact {name}:{CHAMPION} holds {' and '.join(files)}")

    def end(self, run: str, status: str, error: str | None, best: dict[str, Any]) -> None:
        """Close a trial's run with its best values and final status."""
        ended = self._runs.pop(run, None)
        if ended is None:  # its process never started
            return
        ended.summary.update({**best, "status": status, **({"error": error} if error else {})})
        if status != INTERRUPTED:  # which it is only until it goes on, and tags stay
            ended.tags = (*ended.tags, status)
        self._finish(ended, int(status in UNUSABLE))
        self._notes[run][1]["ended"] = ending(status, self._steps[run])
        self._note(run)

    def close(self, moved: Callable[[], object] = lambda: None) -> None:
        """Close the runs of interrupted trials, to be continued; `moved` is called for each."""
        for run in self._runs.values():
            try:
                run.summary.update({"status": INTERRUPTED})
                self._finish(run, 0)
            except Exception as error:  # one run's trouble is not the others'
                leave_if_core_is_lost(error)
            moved()
        for lock in self._locks.values():
            lock.release()
        offline = self._session.offline
        if offline and self._folder.is_dir():  # which may have been removed, and they with it
            self.say(
                f"{offline} {'run was' if offline == 1 else 'runs were'} written offline; "
                f"upload them with: wandb sync {self._folder / 'wandb'}/offline-run-*"
            )

    def say(self, line: str) -> None:
        """Tell the user."""
        print(f"wandb: {line}", flush=True)

    def _note(self, run: str) -> None:
        path, noted = self._notes[run]
        with atomic_write(path, within=path.parents[1]) as temporary:
            temporary.write_text(json.dumps(noted))

    def _finish(self, run: Any, exit_code: int) -> None:
        """Close a run. wandb returns before an offline one is on disk: of 30, 7 held nothing yet."""
        run.finish(exit_code=exit_code)
        until = time.monotonic() + _DISK_SECONDS
        while self._session.mode == "offline" and self._folder.is_dir() and time.monotonic() < until:
            if on_disk(self._folder, run.id).ended:
                return
            time.sleep(0.01)

    def _is_whole(self, run_id: str, history: list[dict[str, Any]], status: str) -> bool:
        found = on_disk(self._folder, run_id)
        return found.ended and found.status == status and {row["epoch"] for row in history} <= found.steps

    def _wait_for_others(self, labels: dict[str, str]) -> None:
        """Wait for the writer of an earlier run, which outlives a run that was killed, to close its runs."""
        experiment = labels["region"], labels["experiment"]
        if experiment in self._locks:
            return
        folder = self._folder / "wandb"
        folder.mkdir(exist_ok=True)
        self._locks[experiment] = FileLock(folder / f".{'.'.join(experiment)}.lock", timeout=_WRITER_SECONDS)
        with contextlib.suppress(Timeout):  # it hangs: what it has not written by now it never will
            self._locks[experiment].acquire()


def _read_note(state: str) -> tuple[Location, dict[str, Any]]:
    note = location(state)
    return note, json.loads(note.read_text()) if note.is_file() else {}


def leave_if_core_is_lost(error: Exception) -> None:
    """End this process where wandb's own has died, and no run can be written any more: another one can."""
    if isinstance(error, ConnectionError) or type(error).__name__ in _CORE_IS_LOST:
        os._exit(CORE_LOST)


def main() -> None:
    """Carry out the messages on standard input: {"do": method, ...its arguments}; the first one holds the set-up."""
    os.nice(10)  # training comes first
    counted = os.dup(sys.stderr.fileno())
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # what wandb says there would be counted, too
    setup = json.loads(sys.stdin.readline())
    writer = WandbWriter(Path(setup["folder"]), setup["mode"])
    complained = False
    for line in sys.stdin:
        message = json.loads(line)
        try:
            getattr(writer, message.pop("do"))(**message)
        except Exception as error:  # one run's trouble is not the others'
            leave_if_core_is_lost(error)
            if not complained:
                writer.say(f"not everything was logged: {type(error).__name__}: {one_line(error, 160)}")
                complained = True
        os.write(counted, b".")
    writer.close(lambda: os.write(counted, b"."))


if __name__ == "__main__":
    main()
