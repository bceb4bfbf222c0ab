"""Whatever ends a run, or a part of it, is told by an exit code and in one line, and `--resume` ends as a twin does."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.life import BEGUN, Progress
from tests.chaos.twins import assert_same
from tests.conftest import write_synthetic_pack
from tests.integration.commands import Command, command, lines_of
from tests.integration.processes import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

TRIALS, EPOCHS = 4, 8
COUNTS = {"train": (40, 20, 10), "val": (8, 6, 4), "test": (8, 6, 4)}
SPACE = """
method: random
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 32}
"""
INTERRUPTED = "interrupted"
LOST = "error: the Ray cluster has gone while the run was on (its gcs_server or raylet has ended); "
REWRITTEN = "wandb: its process died once (signal 9); what was lost with it has been written again"
BY_TWO_WORKERS = ("--workers-per-trial", 2, "--trials", 2, "--concurrent", 1)


@dataclass(frozen=True)
class End:
    """What is done to a run, and how it ends."""

    name: str
    do: Callable[[Command], object]
    code: int
    line: str = ""


def signalled(*numbers: signal.Signals) -> Callable[[Command], None]:
    def send(run: Command) -> None:
        for number in numbers:
            run.process.send_signal(number)
            time.sleep(0.3)

    return send


def killed(name: str) -> Callable[[Command], None]:
    def kill(run: Command) -> None:
        run.look()
        run.child(name).kill()

    return kill


ENDS = (
    End("TERM", signalled(signal.SIGTERM), 143, INTERRUPTED),
    End("HUP", signalled(signal.SIGHUP), 129, INTERRUPTED),
    End("INT", signalled(signal.SIGINT), 130, INTERRUPTED),
    End("INT INT INT", signalled(*[signal.SIGINT] * 3), 130, INTERRUPTED),
    End("GCS killed", killed("gcs_server"), 2, f"{LOST}--name ended --resume goes on with it"),
    End("raylet killed", killed("raylet"), 2, f"{LOST}--name ended --resume goes on with it"),
    End("actor killed", killed("ray::ResourceTrainable"), 0),
    End("wandb writer killed", killed("skin_tune.tuning.wandb_writer"), 0, REWRITTEN),
)
"""In this order: what follows an end that goes on by itself is done to the same run."""


def tuning(folder: Path, name: str, *how: object, epochs: int = EPOCHS) -> Command:
    words = (folder / "pack.arrow", "--space", folder / "space.yaml", *how, f"epochs={epochs}")
    if (folder / "runs" / "experiments" / "lip_dryness" / name).exists():
        words = ("--resume",)
    return command("tune", *words, "--name", name, "--storage", folder / "runs", "--wandb", "offline")


def ended_in_turn(folder: Path) -> None:
    """One experiment that is ended in each way but its last, each time resumed."""
    run: Command | None = None
    for place, end in enumerate(ENDS):
        progress = Progress(folder / "runs", "ended", TRIALS, EPOCHS)
        if run is None:
            run = tuning(folder, "ended", "--trials", TRIALS, "--concurrent", 2, "--cpus-per-trial", 1)
            wait_until(lambda progress=progress: progress.look())
        before = progress.look()
        wait_until(lambda progress=progress, before=before: progress.look() > before)
        run.check_runs()
        run.look(least=5)
        started = time.monotonic()
        end.do(run)
        goes_on = end.code == 0 and place < len(ENDS) - 1
        if goes_on:
            print(f"{end.name}: goes on", flush=True)
            continue
        code, _, err = run.ended(200)
        print(f"{end.name}: exit code {code} after {time.monotonic() - started:.1f} s, {lines_of(err)}", flush=True)
        assert (code, lines_of(err)) == (end.code, [end.line] if end.line else []), end.name
        run = None


def a_worker_killed(folder: Path) -> None:
    """A group of two workers, one of which is killed: the run goes on."""
    run = tuning(folder, "worker", *BY_TWO_WORKERS, epochs=3)
    progress = Progress(folder / "runs", "worker", 2, 3)
    wait_until(lambda: progress.look() > BEGUN)
    run.look()
    run.child("ray::RayTrainWorker").kill()
    code, _, err = run.ended(200)
    print(f"worker killed: exit code {code}, {lines_of(err)}", flush=True)
    assert (code, lines_of(err)) == (0, [])


def left_alone(folder: Path, name: str, *how: object, epochs: int) -> None:
    code, _, err = tuning(folder, name, *how, epochs=epochs).ended(300)
    assert (code, lines_of(err)) == (0, []), err


def test_each_end_has_its_code_and_its_line_and_what_goes_on_ends_as_its_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    write_synthetic_pack(tmp_path / "pack.arrow", COUNTS)
    (tmp_path / "space.yaml").write_text(SPACE)
    alone = ("--trials", TRIALS, "--concurrent", 2, "--cpus-per-trial", 1)
    print()
    with ThreadPoolExecutor(2) as beside:
        runs = [
            beside.submit(ended_in_turn, tmp_path),
            beside.submit(a_worker_killed, tmp_path),
            beside.submit(left_alone, tmp_path, "pair", *BY_TWO_WORKERS, epochs=3),
            beside.submit(left_alone, tmp_path, "twin", *alone, epochs=EPOCHS),
        ]
    for run in runs:
        run.result()
    epochs = assert_same(tmp_path / "runs", "ended", "twin"), assert_same(tmp_path / "runs", "worker", "pair")
    assert epochs == (TRIALS * EPOCHS, 2 * 3)
