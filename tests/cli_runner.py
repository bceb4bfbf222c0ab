"""Runs `skin-tune` the way a shell does, or, where a process of its own would only cost time, in this one."""

import contextlib
import io
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest.mock import patch

from skin_tune.cli.main import main

ROOT = Path(__file__).parents[1]
COLUMNS = "160"
"""How wide commands believe the terminal to be."""
ONE_PROCESS = ("--concurrent", 1, "--cpus-per-trial", 1)
"""For trials whose number at a time is not what a test is about: each of their processes imports for seconds."""


def skin_tune(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished command, its output captured; without wandb unless `env` or an option says otherwise."""
    return _finished("-m", "skin_tune", *arguments, cwd=cwd, env=env)


def run_job(job: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The finished `jobs/<job>.py`, run in `cwd`, its output captured; without wandb."""
    return _finished(ROOT / "jobs" / f"{job}.py", *arguments, cwd=cwd)


def _finished(
    *arguments: object, cwd: Path | None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**(env or {**os.environ, "WANDB_MODE": "disabled"}), "COLUMNS": COLUMNS},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def skin_tune_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """As `skin_tune`, but in this process: nothing is imported anew."""
    return _finished_here(main, "skin-tune", *arguments)


def run_job_here(job: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As `run_job`, but in this process."""
    path = ROOT / "jobs" / f"{job}.py"
    with contextlib.chdir(cwd):
        return _finished_here(lambda: runpy.run_path(str(path), run_name="__main__"), path, *arguments)


def _finished_here(command: Callable[[], object], *arguments: object) -> subprocess.CompletedProcess[str]:
    out, err, status = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", list(map(str, arguments))),
        patch.dict(os.environ, {"COLUMNS": COLUMNS, "WANDB_MODE": "disabled"}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            command()
        except SystemExit as end:
            status = int(end.code or 0)
    return subprocess.CompletedProcess(sys.argv, status, out.getvalue(), err.getvalue())


def assert_one_line_error(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """The command ended as a user's mistake should: exit code 2 and one line on standard error."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    for part in said:
        assert part in lines[0]


_PROGRESS = re.compile(
    r"(loading|joining|starting|asking|checking|fetching|preparing|building|in the first epoch|in epoch|epoch) ?.*"
    r"|\d+/\d+ trials done.*"
)


def without_progress(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """Without the lines that a command shows before its error, where a wait is long enough for one."""
    lines = [line for line in done.stderr.splitlines() if not _PROGRESS.fullmatch(line)]
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout, "\n".join(lines))
