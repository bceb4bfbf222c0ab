"""An experiment that was killed goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from skin_tune.results import load_epochs, load_trials
from tests.cli_runner import assert_one_line_error, skin_tune
from tests.conftest import write_synthetic_pack
from tests.integration.offline_runs import offline_runs
from tests.integration.processes import checkpoint_of, wait_until

SPACE = """
method: random
early_terminate: {type: hyperband, min_iter: 2, eta: 2}
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 16}
  epochs: {value: 6}
"""
COUNTS = {"train": (40, 20, 10), "val": (8, 6, 4), "test": (8, 6, 4)}


def test_a_killed_experiment_goes_on_and_ends_as_an_unbroken_one(tmp_path: Path):
    pack = write_synthetic_pack(tmp_path / "pack.arrow", COUNTS)
    (tmp_path / "space.yaml").write_text(SPACE)

    def command(name: str, *more: str) -> tuple[str, ...]:
        where = ("--space", str(tmp_path / "space.yaml"), "--storage", str(tmp_path / "runs"))
        return ("tune", str(pack.path), *where, "--name", name, "--trials", "5", "--concurrent", "1", *more)

    process = subprocess.Popen(
        [sys.executable, "-m", "skin_tune", *command("killed", "--wandb", "offline")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: checkpoint_of(tmp_path / "runs", "killed", 1))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert_one_line_error(skin_tune(*command("killed")), "'killed'", "already exists", "--resume")
    assert_one_line_error(skin_tune(*command("never", "--resume")), "'never'", "to --resume")
    assert_one_line_error(skin_tune(*command("killed", "--resume", "--seed", "3")), "another seed")

    resumed = skin_tune(*command("killed", "--resume", "--wandb", "offline"))
    assert resumed.returncode == 0, resumed.stderr
    unbroken = skin_tune(*command("unbroken"))
    assert unbroken.returncode == 0, unbroken.stderr

    frames = []
    for name in ("killed", "unbroken"):
        trials = load_trials(tmp_path / "runs", experiment=name)
        epochs = load_epochs(tmp_path / "runs", experiment=name)
        assert not epochs.duplicated(["trial_id", "epoch"]).any()
        assert set(trials["status"]) <= {"completed", "stopped_early"}
        assert trials["ended_at"].notna().all()
        epochs["trial_id"] = epochs["trial_id"].str.removeprefix(f"{name}-")
        columns = ["trial_id", "epoch", "train_loss", "val_loss", "val_balanced_acc"]
        frames.append(epochs.sort_values(["trial_id", "epoch"])[columns].reset_index(drop=True))
    assert frames[0].equals(frames[1])

    epochs_of = load_epochs(tmp_path / "runs", experiment="killed").groupby("trial_id")["epoch"].apply(list)
    runs = offline_runs(tmp_path / "runs").values()
    assert len(runs) == len(epochs_of)
    for run in runs:
        assert [step["_step"] for step in run.steps] == epochs_of[run.name]

    again = skin_tune(*command("killed", "--resume"))
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[:6] == resumed.stdout.splitlines()[:6]
