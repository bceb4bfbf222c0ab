"""A refit, a confirmation and an ablation that a signal ends go on with the same command."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from skin_tune.paths import RunPaths
from skin_tune.results import load_epochs, load_test_openings, load_trials
from tests.cli_runner import skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.commands import Command, command, lines_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=16", "warmup_epochs=0")
COUNTS = {"train": (40, 20, 10), "val": (8, 6, 4), "test": (8, 6, 4)}


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pack, and the training `hand` of some epochs on it."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    pack = write_synthetic_pack(tmp_path / "pack.arrow", COUNTS)
    where = ("--storage", tmp_path / "runs", "--name", "hand", "--wandb", "disabled")
    done = skin_tune_here("train", pack.path, *SMALL, "epochs=6", *where)
    assert done.returncode == 0, done.stderr
    return tmp_path


def interrupt(run: Command, number: signal.Signals) -> None:
    """End a run that works; it says so in one line and leaves no process."""
    run.check_runs()
    run.look()
    run.process.send_signal(number)
    code, _, err = run.ended()
    said = [line for line in lines_of(err) if not line.startswith("epoch ")]
    print(f"{number.name}: exit code {code}, {said}")
    assert (code, said) == (128 + number, ["interrupted"])


def go_on(*words: object, job: str | None = None) -> str:
    code, out, err = command(*words, job=job).ended(300)
    assert code == 0, err
    return out


@pytest.mark.parametrize("job", [None, "refit_best"])
def test_a_refit_that_is_ended_twice_tests_its_model_once(job: str | None, trained: Path):
    storage = trained / "runs"
    words = ("hand", "--workers", 2, "--storage", storage, "--wandb", "disabled")
    command_line: Sequence[object] = words if job else ("refit", *words)
    last = RunPaths(storage).checkpoints("lip_dryness", "hand", "hand-refit") / "last.pt"
    stamp = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        run = command(*command_line, job=job)
        run.wait_for(last.parent, "last.pt")
        while last.stat().st_mtime_ns == stamp:
            run.check_runs()
        interrupt(run, number)
        stamp = last.stat().st_mtime_ns
    go_on(*command_line, job=job)
    folder = RunPaths(storage).refit("lip_dryness", "hand", "hand-refit")
    assert json.loads((folder / "metrics.json").read_text())["epochs"] == 6
    assert load_test_openings(storage)["command"].tolist() == ["refit"]
    assert not last.exists()


def test_a_confirmation_that_is_ended_goes_on(trained: Path):
    storage = trained / "runs"
    words = ("confirm", "hand", "--top", 1, "--seeds", 2, "--concurrent", 2, "--storage", storage)
    for number in (signal.SIGHUP, signal.SIGTERM):
        run = command(*words, "--wandb", "disabled")
        run.wait_for(storage, "experiments/*/hand-confirm/checkpoints/*/last.pt")
        interrupt(run, number)
    go_on(*words)
    assert load_trials(storage, experiment="hand-confirm")["status"].tolist() == ["completed"] * 2
    assert_each_epoch_once(load_epochs(storage, experiment="hand-confirm"), 6)


def test_an_ablation_that_is_ended_goes_on(trained: Path):
    storage = trained / "runs"
    pack = trained / "lip_dryness-32.arrow"
    (trained / "pack.arrow").rename(pack)
    where = ("--packs", trained, "--size", 32, "--storage", storage, "--out", trained / "figure.html")
    words = ("lip_dryness", *where, "--seeds", 1, "--concurrent", 2, *SMALL, "epochs=2")
    run = command(*words, job="ablation")
    run.wait_for(storage, "experiments/*/ablation/checkpoints/*/last.pt")
    interrupt(run, signal.SIGINT)
    assert not (trained / "figure.html").exists()
    go_on(*words, job="ablation")
    assert (trained / "figure.html").exists()
    assert set(load_trials(storage, experiment="ablation")["status"]) == {"completed"}
    assert_each_epoch_once(load_epochs(storage, experiment="ablation"), 2)


def assert_each_epoch_once(epochs: pd.DataFrame, count: int) -> None:
    for _, own in epochs.groupby("trial_id"):
        assert own["epoch"].tolist() == list(range(1, count + 1))
