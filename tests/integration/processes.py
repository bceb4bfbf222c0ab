"""Processes of a running command, to be killed by a test."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil


def wait_until(condition: Callable[[], object], seconds: float = 200) -> None:
    """Return once `condition()` holds; fail after `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "what the test waits for did not happen"
        time.sleep(0.05)


def ray_process(command: int, name: str) -> psutil.Process:
    """A process of the Ray cluster that `command` (a process id) started, by the start of its name."""
    for process in psutil.Process(command).children(recursive=True):
        try:
            if process.cmdline() and process.cmdline()[0].startswith(f"ray::{name}"):
                return process
        except psutil.Error:  # it ended while we looked
            continue
    raise AssertionError(f"no process named {name}")


def checkpoint_of(storage: Path, experiment: str, number: int) -> Path | None:
    """`last.pt` of a trial that has run an epoch and is not done."""
    found = list(storage.glob(f"experiments/*/{experiment}/checkpoints/{experiment}-{number:03d}/last.pt"))
    return found[0] if found else None
