"""Experiments that are killed go on as if they had not been."""

import random
import re
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from ray.cluster_utils import Cluster

from skin_tune.results import load_epochs, load_trials
from skin_tune.storage.run_paths import RunPaths
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker, write_synthetic_pack
from tests.integration.offline_runs import offline_runs
from tests.integration.processes import checkpoint_of, ray_process, start, wait_for_epochs, wait_until

ASHA = "early_terminate: {type: hyperband, min_iter: 2, eta: 2}"
SPACE = """
method: random
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 70}
  oversample: {value: none}
  epochs: {value: 6}
"""
COUNTS = {"train": (40, 20, 10), "val": (8, 6, 4), "test": (8, 6, 4)}
pytestmark = pytest.mark.usefixtures("shared_cluster")  # which outlives its drivers, and ends what they leave


@pytest.mark.parametrize(
    ("stopping", "at_once", "kills"), [(ASHA, 1, 2), ("", 2, 2)], ids=["early stopping", "two at a time"]
)
def test_an_experiment_killed_at_random_points_ends_as_an_unbroken_one(
    stopping: str, at_once: int, kills: int, tmp_path: Path
):
    pack = write_synthetic_pack(tmp_path / "pack.arrow", COUNTS)
    (tmp_path / "space.yaml").write_text(SPACE + stopping)
    storage = tmp_path / "runs"

    def command(name: str, *more: str) -> tuple[str, ...]:
        where = ("--space", str(tmp_path / "space.yaml"), "--storage", str(storage), "--name", name)
        return (
            "tune",
            str(pack.path),
            *where,
            "--trials",
            "6",
            "--concurrent",
            str(at_once),
            "--cpus-per-trial",
            "1",
            "--wandb",
            "offline",
            *more,
        )

    unbroken = start(*command("unbroken"))  # beside the other, in the same storage
    if at_once == 2:
        assert unbroken.wait(200) == 0  # it fills both places of the cluster
    chance = random.Random(7 * at_once)
    for kill in range(kills):
        process = start(*command("killed", *(("--resume",) if kill else ())))
        asked = storage / "experiments" / "lip_dryness" / "killed" / "asked.json"
        wait_until(asked.is_file)
        wait_for_epochs(storage, "killed", chance.randint(int(kill == 0), 3))  # one, whose checkpoint is copied
        if kill == 1:
            assert_one_line_error(skin_tune_here(*command("killed")), "'killed'", "already exists", "--resume")
            assert_one_line_error(
                skin_tune_here(*command("killed", "--resume")), "'killed'", f"by process {process.pid}"
            )
        time.sleep(chance.uniform(0, 1))
        process.kill()
        assert process.wait() == -signal.SIGKILL, f"kill {kill} came too late"
        if kill == 0:  # the driver died before it wrote that a trial had begun
            unheard_of = RunPaths(storage).checkpoints("lip_dryness", "killed", "killed-005") / "last.pt"
            unheard_of.parent.mkdir(parents=True)
            shutil.copy(next(storage.glob("experiments/lip_dryness/*/checkpoints/*/last.pt")), str(unheard_of))

    assert_one_line_error(skin_tune_here(*command("never", "--resume")), "'never'", "to --resume")
    changed = skin_tune_here(*command("killed", "--resume", "--seed", "3"), "epochs=9")
    assert_one_line_error(changed, "seed was 0, is 3", "epochs was 6, is 9", "cannot be resumed")
    resumed = skin_tune_here("tune", "--name", "killed", "--storage", storage, "--resume", "--wandb", "offline")
    assert resumed.returncode == 0, resumed.stderr
    assert re.search(r"6 trials: .*; this run ended \d of them in ", resumed.stdout)
    assert unbroken.wait(200) == 0

    tables = []
    for name in ("killed", "unbroken"):
        trials, epochs = load_trials(storage, experiment=name), load_epochs(storage, experiment=name)
        assert not epochs.duplicated(["trial_id", "epoch"]).any()
        assert trials["ended_at"].notna().all()
        tables.append([numbers_of(trials, "trial_id", "epochs"), numbers_of(epochs, "trial_id", "epoch")])
    for killed, whole in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(killed, whole, check_exact=True)

    epochs_of = load_epochs(storage, experiment="killed").groupby("trial_id")["epoch"].apply(list)
    runs = {run.name: run for run in offline_runs(storage).values() if run.group == "killed"}
    assert set(runs) == set(epochs_of.index)
    for name, run in runs.items():
        assert [step["_step"] for step in run.steps] == epochs_of[name]

    again = skin_tune_here(*command("killed", "--resume"))
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[:6] == resumed.stdout.splitlines()[:6]
    fewer = skin_tune_here(*command("killed", "--resume"), "--trials", 5)
    assert "was started with 6 trials, and is to have 5: 6 have started, none more will" in fewer.stderr


def numbers_of(table: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """What two experiments of one seed have in common: all but names, paths and times."""
    table["trial_id"] = table["trial_id"].str[-3:]
    taken = ("seconds", "images_per_second", "checkpoint", "experiment", "started_at", "ended_at")
    columns = [name for name in table if not str(name).endswith(taken)]
    return table.sort_values(list(keys))[columns].reset_index(drop=True)


def test_a_trial_whose_process_is_killed_goes_on_as_often_as_it_may(
    shared_cluster: Cluster, make_pack: PackMaker, tmp_path: Path
):
    (tmp_path / "space.yaml").write_text(SPACE)
    storage = tmp_path / "runs"
    where = ("--space", str(tmp_path / "space.yaml"), "--storage", str(storage), "--name", "exp")
    process = start("tune", make_pack(COUNTS).path, *where, "--trials", "3", "--concurrent", "1", "--max-failures", "1")
    for number, kills in enumerate((1, 2)):
        killed: set[int] = set()
        while len(killed) < kills:
            wait_until(lambda number=number: checkpoint_of(storage, "exp", number))
            trial = wait_until(lambda: ray_process(shared_cluster.head_node, "ResourceTrainable"))
            if trial.pid not in killed:
                trial.kill()
                killed.add(trial.pid)
    assert process.wait(200) == 0

    trials = load_trials(storage, experiment="exp")
    assert trials["status"].tolist() == ["completed", "failed", "completed"]
    assert trials["error"].notna().tolist() == [False, True, False]
    epochs = load_epochs(storage, experiment="exp").groupby("trial_id")["epoch"].apply(list)
    assert epochs["exp-000"] == epochs["exp-002"] == [1, 2, 3, 4, 5, 6]
    assert epochs["exp-001"] == list(range(1, len(epochs["exp-001"]) + 1))
