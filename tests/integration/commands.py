"""Commands that run beside a test, with all that they start: to be told to end, or killed."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.cli_runner import ROOT
from tests.integration.processes import wait_until

CLEAN_UP_SECONDS = 90
_NO_NEWS = re.compile(
    r"\d+/\d+ trials done\b|epoch \d|.*, \d[\dhm]*[ms]$|.*: \d+ of \d+$|wandb: \d+ runs? (was|were) written offline"
)
"""The progress of trials, of a training, of what a command is doing, of what is counted; where wandb's files are."""


@dataclass
class Command:
    """A command under way and, as often as it is looked for, what it has started."""

    process: subprocess.Popen[str]
    family: list[psutil.Process] = field(default_factory=list)

    def look(self, least: int = 0) -> None:
        """Note what it has started by now, once that is `least` processes; those that were found before stay noted."""
        wait_until(lambda: self._found() >= least)

    def _found(self) -> int:
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:  # it has ended, or one of them did while we looked
            return len(self.family)
        self.family += [each for each in found if each not in self.family]
        return len(found)

    def wait_for(self, folder: Path, pattern: str) -> Path:
        """The first file of a pattern below a folder, which it writes while it runs."""

        def written() -> list[Path]:
            self.check_runs()
            return list(folder.glob(pattern))

        return wait_until(written)[0]

    def check_runs(self) -> None:
        """Fail where it has ended by itself."""
        if self.process.poll() is not None:
            pytest.fail(f"it has ended: {self.process.communicate()}")

    def child(self, name: str) -> psutil.Process:
        """The `gcs_server`, the `raylet` or another process of its own, by the start of its name."""
        (found, *_) = [each for each in self.family if _is_called(each, name)]
        return found

    def ended(self, seconds: float = CLEAN_UP_SECONDS) -> tuple[int, str, str]:
        """Its exit code, output and errors, once it has ended with all its processes."""
        out, err = self.process.communicate(timeout=seconds)
        self.check_none_left()
        return self.process.returncode, out, err

    def check_none_left(self) -> None:
        """Fail where a process that it started is alive."""
        _, alive = psutil.wait_procs(self.family, timeout=3)
        assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]

    def kill_everything(self) -> None:
        """SIGKILL to each of its processes at one moment: all are stopped first, so that none starts another."""
        running = [psutil.Process(self.process.pid)]
        stopped: list[psutil.Process] = []
        while running:
            for each in running:
                _tell(each, "suspend")
            stopped += running
            self._found()
            running = [each for each in self.family if each not in stopped]
        for each in stopped:
            _tell(each, "kill")
        self.process.wait()
        self.check_none_left()


def command(*words: object, job: str | None = None, **environment: str) -> Command:
    """Start `skin-tune`, or `jobs/<job>.py`, without wandb unless its words or its `environment` say otherwise."""
    program = [str(ROOT / "jobs" / f"{job}.py")] if job else ["-m", "skin_tune"]
    process = subprocess.Popen(
        [sys.executable, *program, *map(str, words)],
        env={**os.environ, "WANDB_MODE": "disabled", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Command(process)


def lines_of(err: str) -> list[str]:
    """What a command has said on standard error, without what is no news."""
    return [line for line in err.splitlines() if not _NO_NEWS.match(line)]


def _is_called(process: psutil.Process, name: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return bool(words) and (Path(words[0]).name.startswith(name) or words[0].startswith(name) or name in words)


def _tell(process: psutil.Process, what: str) -> None:
    try:
        getattr(process, what)()  # psutil checks that its number is still its own
    except psutil.NoSuchProcess:
        return
