"""Processes of a running command, to be killed by a test."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.cli_runner import skin_tune_here

T = TypeVar("T")


def start(*command: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A `skin-tune` that runs beside the test, its output dropped."""
    return subprocess.Popen(
        [sys.executable, "-m", "skin_tune", *map(str, command)],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def begin(*command: object) -> subprocess.Popen[str]:
    """As `start`, its output kept for `finished`."""
    return subprocess.Popen(
        [sys.executable, "-m", "skin_tune", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[str], seconds: float = 200) -> subprocess.CompletedProcess[str]:
    """A process of `begin` once it has ended."""
    out, err = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run_beside(action: Callable[[], object], *command: object) -> subprocess.CompletedProcess[str]:
    """The finished command, run in this process, while `action` waits for its moment and does something to it."""
    with ThreadPoolExecutor() as beside:
        acted = beside.submit(action)
        done = skin_tune_here(*command)
        wait([acted], timeout=10)
        assert acted.done(), f"the command has ended before its moment: {done.stderr}"
        acted.result()
    return done


def wait_until(condition: Callable[..., T | None], seconds: float = 200) -> T:
    """What `condition()` returns once that is true; fail after `seconds`."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "what the test waits for did not happen"
        time.sleep(0.05)
    return value


def wait_for_epochs(storage: Path, experiment: str, count: int) -> None:
    """Return once trials of `experiment` have ended `count` more epochs, each with a checkpoint."""
    seen, until = _checkpoints(storage, experiment), time.monotonic() + 200
    while count > 0:
        time.sleep(0.05)
        new = _checkpoints(storage, experiment) - seen
        seen |= new
        count -= len(new)
        assert time.monotonic() < until, "no trial has ended an epoch"


def _checkpoints(storage: Path, experiment: str) -> set[tuple[str, int]]:
    found = set()
    for file in storage.glob(f"experiments/*/{experiment}/checkpoints/*/last.pt"):
        try:
            found.add((file.parent.name, file.stat().st_mtime_ns))
        except FileNotFoundError:  # its trial ended while we looked
            continue
    return found


def ray_process(node: Any, name: str) -> psutil.Process | None:
    """A worker process on a node of `ray.cluster_utils.Cluster`, by the start of its name."""
    (raylet,) = node.all_processes["raylet"]
    for process in psutil.Process(raylet.process.pid).children(recursive=True):
        try:
            if process.cmdline() and process.cmdline()[0].startswith(f"ray::{name}"):
                return process
        except psutil.Error:  # it ended while we looked
            continue
    return None


def under_way(storage: Path, experiment: str) -> int:
    """How many trials have run an epoch and are not done."""
    return len(list(storage.glob(f"experiments/*/{experiment}/checkpoints/*/last.pt")))


def checkpoint_of(storage: Path, experiment: str, number: int) -> Path | None:
    """`last.pt` of a trial that has run an epoch and is not done."""
    found = list(storage.glob(f"experiments/*/{experiment}/checkpoints/{experiment}-{number:03d}/last.pt"))
    return found[0] if found else None
