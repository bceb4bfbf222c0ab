"""Ray's own memory monitor ends a trial's process while it trains."""

import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from skin_tune.results import load_epochs, load_trials
from tests.cli_runner import ONE_PROCESS
from tests.conftest import PackMaker
from tests.integration.processes import begin, checkpoint_of, finished, wait_until

SPACE = """
method: random
parameters:
  learning_rate: {min: 1.0e-4, max: 1.0e-3}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 32}
  epochs: {value: 40}
"""
GIB = 1 << 30
ROOM = 3 * GIB
"""What the command may take beside what the machine has in use: it takes about 1.5 GiB."""
MOST = 3 * GIB
"""What the test takes at most to make the machine short of it."""


def in_use() -> int:
    memory = psutil.virtual_memory()
    return memory.total - memory.available


def trial_of(command: subprocess.Popen[str], killed: set[int]) -> psutil.Process | None:
    """The process of the trial that runs, unless it is one of `killed`."""
    for process in psutil.Process(command.pid).children(recursive=True):
        try:
            if process.pid not in killed and any("ResourceTrainable" in word for word in process.cmdline()[:1]):
                return process
        except psutil.Error:
            continue
    return None


def crowd_out(process: psutil.Process) -> bool:
    """Take memory until `process` is ended for it, then give it back; whether that came to pass.

    It is paused meanwhile, or its trial might end by itself first.
    """
    process.suspend()
    taken: list[np.ndarray] = []
    until = time.monotonic() + 60
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        if 64 * len(taken) * (1 << 20) < MOST:
            taken.append(np.ones(8 << 20))  # 64 MiB
        time.sleep(0.02)
    if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        process.resume()
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_trial_that_is_killed_for_memory_goes_on_as_often_as_it_may(
    make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    memory = psutil.virtual_memory()
    if memory.available < ROOM + 2 * MOST:
        pytest.skip("needs 8 GiB of free memory")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    threshold = in_use() + ROOM
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{threshold / memory.total:.4f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "50")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "space.yaml").write_text(SPACE)
    storage = tmp_path / "runs"
    where = ("--space", tmp_path / "space.yaml", "--storage", storage, "--name", "exp")
    command = begin("tune", make_pack().path, *where, "--max-failures", 1, "--trials", 2, *ONE_PROCESS)
    try:
        for number, kills in enumerate((1, 2)):
            killed: set[int] = set()
            while len(killed) < kills:
                wait_until(lambda number=number: checkpoint_of(storage, "exp", number) or command.poll() is not None)
                trial = wait_until(lambda killed=killed: command.poll() is not None or trial_of(command, killed))
                assert isinstance(trial, psutil.Process), command.communicate()
                if not crowd_out(trial):
                    pytest.skip("others on this machine gave memory back meanwhile: it did not become short")
                if in_use() > threshold - GIB:
                    pytest.skip("others on this machine took memory meanwhile: it stays short")
                killed.add(trial.pid)
        done = finished(command, 300)
    finally:
        command.kill()
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    trials = load_trials(storage)
    assert trials["status"].tolist() == ["completed", "failed"]
    epochs = load_epochs(storage).groupby("trial_id")["epoch"].apply(list)
    for trial_id, count in zip(trials["trial_id"], trials["epochs"], strict=True):
        assert epochs[trial_id] == list(range(1, count + 1))
    assert "out of memory" in trials["error"][1]
    assert "--concurrent" in done.stdout
