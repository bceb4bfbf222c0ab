"""The process that writes wandb runs: one JSON message a line on standard input, to the end of the file.

It runs apart from the driver, so that a wandb that fails, hangs or cannot be reached neither slows nor stops a trial.
What the user should know of it goes to standard output, in one line each; a dot on standard error says that something
has been done, so that whoever waits for the end can tell slow from stuck.
"""

import contextlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import wandb

from skin_tune.paths import atomic_write, location

INIT_SECONDS = 15
"""How long a server may take to accept a run before this and the following ones are written offline."""


class WandbWriter:
    """Writes runs below `<folder>/wandb`, one for each trial; each message names its `run`.

    `mode` is online, offline, or auto: online where an API key is configured. What of a trial has been logged is noted
    in its `state` file, so that a resumed one goes on under its id and no step is logged twice.
    """

    def __init__(self, folder: Path, mode: str):
        self._folder, self._mode = folder, mode
        if mode != "offline":
            self._log_in()
        self._runs: dict[str, Any] = {}
        self._states: dict[str, tuple[Path, dict[str, Any]]] = {}
        self._offline = 0

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
            note = location(state)
            known = json.loads(note.read_text()) if note.is_file() else {}
            noted = {"id": id or known.get("id") or secrets.token_hex(8), "step": known.get("step", 0)}
            self._states[run] = (note, noted)
            self._note(run)
            self._runs[run] = self._init(labels, config, noted["id"])
        for metrics in history:
            self.log(run, metrics)

    def log(self, run: str, metrics: dict[str, Any]) -> None:
        """Log one epoch, which is wandb's step, unless it has been."""
        noted = self._states[run][1]
        if metrics["epoch"] <= noted["step"]:
            return
        self._runs[run].log(metrics, step=metrics["epoch"])
        noted["step"] = metrics["epoch"]
        self._note(run)

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

    def end(self, run: str, status: str, error: str | None, best: dict[str, Any]) -> None:
        """Close a trial's run with its best values and final status."""
        ended = self._runs.pop(run, None)
        if ended is None:  # its process never started
            return
        ended.summary.update({**best, "status": status, **({"error": error} if error else {})})
        ended.tags = (*ended.tags, status)
        ended.finish(exit_code=int(status in ("diverged", "failed")))

    def close(self) -> None:
        """Close the runs of trials that were cut off, to be continued."""
        for run in self._runs.values():
            with contextlib.suppress(Exception):  # one run's trouble is not the others'
                run.summary.update({"status": "interrupted"})
                run.finish()
            _moved()
        if self._offline:
            self.say(
                f"{self._offline} {'run was' if self._offline == 1 else 'runs were'} written offline; "
                f"upload them with: wandb sync {self._folder / 'wandb'}/offline-run-*"
            )

    def say(self, line: str) -> None:
        """Tell the user."""
        print(f"wandb: {line}", flush=True)

    def _note(self, run: str) -> None:
        path, noted = self._states[run]
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(noted))

    def _init(self, labels: dict[str, str], config: dict[str, Any], run_id: str) -> Any:
        if self._mode == "online":
            try:
                return self._opened(labels, config, run_id)
            except Exception as error:
                self._go_offline(error)
        self._offline += 1
        return self._opened(labels, config, run_id)

    def _log_in(self) -> None:
        """Settle on online or offline before the first run: one the server refused could not use its id offline."""
        try:
            has_key = wandb.login(prompt=False, verify=True)
        except Exception as error:
            self._go_offline(error)
            return
        if not has_key and self._mode == "online":
            self.say("no API key is configured (WANDB_API_KEY, or wandb login); going on offline")
        self._mode = "online" if has_key else "offline"

    def _go_offline(self, error: Exception) -> None:
        self._mode = "offline"
        self.say(f"the server cannot be used ({_first_line(error)}); going on offline")

    def _opened(self, labels: dict[str, str], config: dict[str, Any], run_id: str) -> Any:
        region, experiment, trial = labels["region"], labels["experiment"], labels["trial"]
        return wandb.init(
            mode="online" if self._mode == "online" else "offline",
            dir=self._folder,
            project=os.environ.get("WANDB_PROJECT") or "skin-tune",
            id=run_id,
            name=trial if trial.startswith(experiment) else experiment,
            group=experiment,
            job_type=region,
            tags=[region, config["backbone"], config["train_loss"]],
            config=config,
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                init_timeout=INIT_SECONDS,
                disable_code=True,
                disable_git=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,  # the list of installed packages is nine tenths of what a run costs
            ),
        )


def _moved() -> None:
    print(".", end="", file=sys.stderr, flush=True)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:160]


def main() -> None:
    """Carry out the messages on standard input: {"do": method, ...its arguments}; the first one holds the set-up."""
    os.nice(10)  # training comes first
    setup = json.loads(sys.stdin.readline())
    writer = WandbWriter(Path(setup["folder"]), setup["mode"])
    complained = False
    for line in sys.stdin:
        message = json.loads(line)
        try:
            getattr(writer, message.pop("do"))(**message)
        except Exception as error:  # one run's trouble is not the others'
            if not complained:
                writer.say(f"not everything was logged: {type(error).__name__}: {_first_line(error)}")
                complained = True
        _moved()
    writer.close()


if __name__ == "__main__":
    main()
