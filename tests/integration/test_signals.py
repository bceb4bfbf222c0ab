"""What ends a command from outside ends it in one line, with the code a shell expects, and leaves no process behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skin_tune.results import load_epochs, load_trials
from tests.cli_runner import skin_tune_here
from tests.conftest import PackMaker
from tests.integration.commands import Command, command, lines_of

Start = Callable[..., Command]

SPACE = """
method: random
parameters:
  learning_rate: {min: 1.0e-4, max: 1.0e-3}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 16}
  batch_size: {value: 16}
  epochs: {value: 3000}
"""
TRAINING = ("backbone=resnet18", "weights=none", "image_size=16", "batch_size=16", "epochs=3000")


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a command that makes a cluster of its own where it needs one."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    commands: list[Command] = []

    def begin(*words: object, job: str | None = None) -> Command:
        commands.append(command(*words, job=job))
        return commands[-1]

    yield begin
    for each in commands:
        each.process.kill()
        for process in each.family:
            if process.is_running():
                process.kill()


def tuning(start: Start, make_pack: PackMaker, folder: Path, *more: object) -> Command:
    """A `tune` of two trials, one at a time, the first of which has run an epoch."""
    (folder / "space.yaml").write_text(SPACE)
    where = ("--space", folder / "space.yaml", "--storage", folder / "runs", "--name", "exp")
    run = start("tune", make_pack().path, *where, "--trials", 2, "--concurrent", 1, "--cpus-per-trial", 1, *more)
    run.wait_for(folder, "runs/experiments/*/exp/checkpoints/*/last.pt")
    run.look(least=5)
    return run


def test_sigterm_ends_an_experiment_which_can_be_resumed(start: Start, make_pack: PackMaker, tmp_path: Path):
    run = tuning(start, make_pack, tmp_path)
    run.process.send_signal(signal.SIGTERM)
    code, out, err = run.ended()
    assert code == 143, err
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    assert "interrupted; --resume resumes" in out
    (row,) = load_trials(tmp_path / "runs").to_dict("records")
    assert row["status"] == "interrupted"
    assert row["epochs"] >= 1
    assert row["ended_at"] is None or row["ended_at"] != row["ended_at"]


def test_a_second_signal_ends_all_at_once(start: Start, make_pack: PackMaker, tmp_path: Path):
    run = tuning(start, make_pack, tmp_path)
    for _ in range(3):
        run.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    code, _, err = run.ended()
    assert (code, lines_of(err)) == (130, ["interrupted"])


@pytest.mark.parametrize("part", ["gcs_server", "raylet"])
def test_a_cluster_that_dies_ends_the_run_in_one_line(part: str, start: Start, make_pack: PackMaker, tmp_path: Path):
    run = tuning(start, make_pack, tmp_path)
    run.child(part).kill()
    code, out, err = run.ended()
    assert code == 2
    assert not out
    (said,) = lines_of(err)
    assert said.startswith("error: the Ray cluster has gone")
    assert "--name exp --resume" in said
    epochs = load_epochs(tmp_path / "runs")
    assert epochs["epoch"].tolist() == list(range(1, len(epochs) + 1))


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        signal.SIGTERM,
        pytest.param(signal.SIGHUP, marks=pytest.mark.chaos),  # test_interrupted sends it to `prepare` and `evaluate`
    ],
)
def test_a_training_that_is_ended_can_be_resumed(
    number: signal.Signals, start: Start, make_pack: PackMaker, tmp_path: Path
):
    storage = tmp_path / "runs"
    run = start("train", make_pack().path, *TRAINING, "--storage", storage, "--name", "hand")
    last = run.wait_for(storage, "experiments/*/hand/checkpoints/*/last.pt")
    run.process.send_signal(number)
    code, _, err = run.ended()
    assert code == 128 + number
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    assert load_trials(storage)["status"].tolist() == ["interrupted"]
    epochs = len(load_epochs(storage))
    done = skin_tune_here("train", make_pack().path, "--resume", last, f"epochs={epochs + 2}", "--storage", storage)
    assert done.returncode == 0, done.stderr
    assert load_trials(storage)["status"].tolist() == ["completed"]


def test_a_signal_while_ray_starts_ends_a_job_like_any_other(start: Start, make_pack: PackMaker, tmp_path: Path):
    pack = make_pack(name="lip_dryness-32")
    where = ("--space", tmp_path / "space.yaml", "--storage", tmp_path / "runs", "--name", "exp")
    (tmp_path / "space.yaml").write_text(SPACE)
    run = start("lip_dryness", *where, "--size", 32, "--packs", pack.path.parent, job="tune_region")
    run.look(least=2)
    run.process.send_signal(signal.SIGTERM)
    code, _, err = run.ended()
    assert code == 143
    assert "Traceback" not in err
    assert "SIGTERM received" not in err


SCRIPT = """
import sys, time
from skin_tune.cli.main import single_command

seconds = float(sys.argv.pop())

def sleep() -> None:
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(seconds)

single_command(sleep)
"""


def sleeper(*before: str, clean_up: float = 0.0) -> subprocess.Popen[str]:
    """A command that sleeps, and takes `clean_up` seconds to end."""
    process = subprocess.Popen(
        [*before, sys.executable, "-c", SCRIPT, str(clean_up)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_second_signal_does_not_wait_for_the_clean_up():
    process = sleeper(clean_up=30)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=5)
    assert (process.returncode, err) == (143, "interrupted\n")


def test_a_signal_that_is_sent_twice_at_a_time_is_one():
    process = sleeper(clean_up=1)
    started = time.monotonic()
    for _ in range(2):  # as `timeout` does, to the process and to its group
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (143, "interrupted\n")
    assert time.monotonic() - started > 0.8


def test_a_closed_terminal_does_not_end_what_nohup_started():
    process = sleeper("nohup")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
