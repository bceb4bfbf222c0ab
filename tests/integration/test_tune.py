"""Real experiments on a real Ray cluster of two CPUs."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss

from skin_tune import __version__
from skin_tune.data.pack.format import open_pack
from skin_tune.results import load_epochs, load_predictions, load_trials
from skin_tune.training.checkpoint import load_checkpoint
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.runner import Outcome, run_experiments
from tests.cli_runner import ONE_PROCESS, assert_one_line_error, skin_tune, skin_tune_here
from tests.conftest import PackMaker, write_synthetic_pack
from tests.integration.processes import wait_until

SMALL = """
parameters:
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 16}
  warmup_epochs: {value: 0}
"""
TINY = SMALL.replace("resnet18", "timm/test_resnet")
"""It takes seconds to load and a tenth of the time of a ResNet-18 from then on: for many epochs."""
joins = pytest.mark.usefixtures("shared_cluster")

ASHA = "early_terminate: {type: hyperband, min_iter: 1, eta: 2}\n"


def write_space(path: Path, head: str, *parameters: str, small: str = SMALL) -> Path:
    path.write_text(head + small + "".join(f"  {line}\n" for line in parameters))
    return path


@dataclass(frozen=True)
class Tuned:
    """A finished `tune`, where it has written, and the seconds that it took."""

    storage: Path
    command: subprocess.CompletedProcess[str]
    seconds: float


@pytest.fixture(scope="module")
def mixed(shared_cluster: object, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """An experiment in which trials complete, are stopped by ASHA, diverge and fail."""
    folder = tmp_path_factory.mktemp("mixed")
    pack = write_synthetic_pack(folder / "pack.arrow")
    space = write_space(
        folder / "space.yaml",
        "method: grid\n" + ASHA,
        "learning_rate: {values: [3.0e-2, 1.0e-12, 1.0e+30, 1.0e-1, 1.0e-11, 1.0e-10]}",
        "optimizer: {value: sgd}",
        "epochs: {value: 4}",
        small=TINY,
    )
    # Either of them alone sets the length of an epoch.
    with space.open("a") as file:
        file.write("  epoch_images: {value: 200}\n  target_samples_per_class: {values: [0, 50]}\n")
        file.write("  augmentation_methods: {value: none}\n")  # a trial that learns shows it after an epoch
    where = ("--space", space, "--storage", folder / "runs", "--name", "mixed")
    began = time.monotonic()
    done = skin_tune("tune", pack.path, *where, "--keep-checkpoints", 2)
    assert done.returncode == 0, done.stderr
    return Tuned(folder / "runs", done, time.monotonic() - began)


def test_every_way_a_trial_can_end_is_recorded_as_such(mixed: Tuned):
    trials = load_trials(mixed.storage)
    assert len(trials) == 12
    impossible = trials["config/target_samples_per_class"] == 50
    assert set(trials[impossible]["status"]) == {"failed"}
    assert trials[impossible]["error"].str.contains("epoch_images=200 and target_samples_per_class=50 both set").all()
    exploding = trials[~impossible & (trials["config/learning_rate"] == 1e30)]
    assert exploding["status"].tolist() == ["diverged"]
    assert exploding["error"].str.contains("diverged").all()
    rest = trials[~impossible & (trials["config/learning_rate"] < 1)]
    assert set(rest["status"]) == {"completed", "stopped_early"}
    assert trials["ended_at"].notna().all()


def test_asha_stops_bad_trials_before_their_last_epoch(mixed: Tuned):
    trials = load_trials(mixed.storage)
    stopped = trials[trials["status"] == "stopped_early"]
    assert len(stopped) >= 1
    assert (stopped["epochs"] < 4).all()
    assert (trials[trials["status"] == "completed"]["epochs"] == 4).all()
    usable = trials[trials["status"].isin(["completed", "stopped_early"])]
    run, full = usable["epochs"].sum(), 4 * len(usable)
    assert f"early stopping: {run} of {full} epochs run" in mixed.command.stdout


def test_each_trials_best_epoch_can_be_recomputed_from_what_it_said_of_each_image(
    mixed: Tuned,
):
    trials = load_trials(mixed.storage).set_index("trial_id")
    scored = trials[trials["val_balanced_acc"].notna()]
    said = load_predictions(mixed.storage)
    assert set(said["trial_id"]) == set(scored.index)
    assert set(said["split"]) == {"val"}
    for trial_id, rows in said.groupby("trial_id"):
        assert len(rows) == 18
        assert rows["subject"].is_unique
        assert balanced_accuracy_score(rows["label"], rows["predicted"]) == scored["val_balanced_acc"][trial_id]
        probabilities = np.stack(rows["probabilities"].to_numpy())
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-3)
        loss = log_loss(rows["label"], probabilities / probabilities.sum(axis=1, keepdims=True), labels=[0, 1, 2])
        assert loss == pytest.approx(scored["val_loss"][trial_id], rel=1e-2)


def test_every_figure_can_be_traced(mixed: Tuned):
    trials = load_trials(mixed.storage)
    pack = open_pack(mixed.storage.parent / "pack.arrow")
    assert set(trials["pack_id"]) == {pack.info.pack_id}
    assert set(trials["split_seed"]) == {0}
    assert trials["code_version"].str.startswith(__version__).all()
    assert trials["libraries"].str.contains(f"torch {version('torch')}", regex=False).all()
    ran = trials[trials["epochs"] > 0]
    assert ran["hardware"].str.contains("CPU, 1 threads").all()


def test_the_store_agrees_with_itself_and_the_table_with_the_store(
    mixed: Tuned,
):
    trials, epochs = load_trials(mixed.storage), load_epochs(mixed.storage)
    assert not epochs.duplicated(["trial_id", "epoch"]).any()
    per_trial = epochs.groupby("trial_id")
    usable = trials[trials["status"].isin(["completed", "stopped_early"])]
    for row in usable.to_dict("records"):
        own = per_trial.get_group(row["trial_id"]).sort_values("epoch")
        assert own["epoch"].tolist() == list(range(1, row["epochs"] + 1))
        assert row["val_balanced_acc"] == own["val_balanced_acc"].max()
        assert row["best_epoch"] == own.loc[own["val_balanced_acc"].idxmax(), "epoch"]
    best = usable.loc[usable["val_balanced_acc"].idxmax()]
    header, first = (line for line in mixed.command.stdout.splitlines() if line.split()[:1] in (["rank"], ["1"]))
    assert cell(header, first, "trial") == best.trial_id
    assert float(cell(header, first, "balanced acc")) == pytest.approx(best.val_balanced_acc, abs=5e-4)
    assert float(cell(header, first, "macro F1")) == pytest.approx(best.val_macro_f1, abs=5e-4)


def cell(header: str, row: str, heading: str) -> str:
    """What a row of a printed table has below a heading: the word that ends, or begins, where the heading does."""
    place = re.search(rf"(?<!\S){re.escape(heading)}(?!\S)", header)
    assert place is not None, header
    words = re.finditer(r"\S+", row)
    (found,) = (word for word in words if word.start() == place.start() or word.end() == place.end())
    return found.group()


def test_only_the_best_trials_keep_their_model(mixed: Tuned):
    trials = load_trials(mixed.storage).sort_values("val_balanced_acc", ascending=False)
    kept = trials[trials["checkpoint"].notna()]
    assert kept.index.tolist() == trials.index[:2].tolist()
    assert {str(path) for path in mixed.storage.rglob("*.pt")} == set(kept["checkpoint"])


def test_the_best_model_of_a_trial_is_kept(mixed: Tuned):
    completed = load_trials(mixed.storage).query("status == 'completed' and checkpoint.notna()").iloc[0]
    content = load_checkpoint(Path(completed["checkpoint"]))
    assert content["epoch"] == completed["best_epoch"]
    assert content["config"]["learning_rate"] == completed["config/learning_rate"]


def test_output_is_quiet(mixed: Tuned):
    done = mixed.command
    stages = ("loading", "joining", "checking")  # where the machine is busy
    assert all("trials done" in line or line.startswith(stages) for line in done.stderr.splitlines()), done.stderr
    assert not re.search(r"[\r\x1b]", done.stdout + done.stderr)
    assert len(done.stderr.splitlines()) <= mixed.seconds / 25, "a line in 30 seconds at most"
    assert "Traceback" not in done.stdout
    assert len(done.stdout.splitlines()) < 25


def test_a_name_that_exists_is_refused(mixed: Tuned):
    storage = mixed.storage
    done = skin_tune_here(
        "tune",
        storage.parent / "pack.arrow",
        "weights=none",
        "--storage",
        storage,
        "--name",
        "mixed",
        "--space",
        storage.parent / "space.yaml",
    )
    assert_one_line_error(done, "'mixed'", "already exists")


@joins
def test_where_all_trials_fail_the_command_exits_1_with_the_reason(make_pack: PackMaker, tmp_path: Path):
    space = write_space(
        tmp_path / "space.yaml",
        "method: random\n",
        "optimizer: {value: sgd}",
        "learning_rate: {values: [1.0e+30, 1.0e+29]}",
        "epochs: {value: 2}",
    )
    done = skin_tune_here(
        "tune", make_pack().path, "--space", space, "--storage", tmp_path / "runs", "--trials", 2, *ONE_PROCESS
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: all 2 trials failed: train_loss is")
    assert load_trials(tmp_path / "runs")["status"].tolist() == ["diverged", "diverged"]


@joins
def test_more_than_the_cluster_has_is_refused_before_anything_runs(make_pack: PackMaker, tmp_path: Path):
    space = write_space(tmp_path / "space.yaml", "method: random\n", "epochs: {value: 1}")
    command = ("tune", make_pack().path, "--space", space, "--trials", 1, "--storage", tmp_path / "runs")
    assert_one_line_error(skin_tune_here(*command, "--gpus-per-trial", 99), "--gpus-per-trial 99", "largest has")
    assert not (tmp_path / "runs").exists()


@joins
def test_ctrl_c_ends_cleanly_with_what_there_is(make_pack: PackMaker, tmp_path: Path):
    space = write_space(
        tmp_path / "space.yaml", "method: random\n", "learning_rate: {min: 0.001, max: 0.01}", "epochs: {value: 500}"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "skin_tune",
            "tune",
            str(make_pack().path),
            "--space",
            str(space),
            "--storage",
            str(tmp_path / "runs"),
            "--trials",
            "4",
            *map(str, ONE_PROCESS),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: list(tmp_path.glob("runs/experiments/*/*/checkpoints/*/best.pt")))
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.endswith("interrupted\n")
    assert "1 trial was interrupted; --resume resumes it" in out
    trials = load_trials(tmp_path / "runs")
    assert set(trials["status"]) == {"interrupted"}
    assert (trials["epochs"] >= 1).any()


@joins
def test_a_time_budget_ends_the_run(make_pack: PackMaker, tmp_path: Path):
    space = write_space(
        tmp_path / "space.yaml", "method: random\n", "learning_rate: {min: 0.001, max: 0.01}", "epochs: {value: 5000}"
    )
    where = ("--space", space, "--storage", tmp_path / "runs", "--name", "short", "--trials", 50)
    done = skin_tune_here("tune", make_pack().path, *where, "--time-budget", "20s", *ONE_PROCESS)
    if "no trial finished an epoch" in done.stderr:  # on a busy machine a trial's process alone may take that long
        done = skin_tune_here("tune", make_pack().path, *where, "--time-budget", "90s", "--resume", *ONE_PROCESS)
    assert done.returncode == 0, done.stderr
    trials = load_trials(tmp_path / "runs")
    assert trials["status"].tolist()[0] == "interrupted"
    assert (trials["status"] == "running").sum() == 0
    assert "interrupted; --resume resumes" in done.stdout
    json.loads(skin_tune_here("trials", "--storage", tmp_path / "runs", "--format", "json").stdout)


@joins
def test_a_budget_of_images_ends_the_run_and_a_larger_one_resumes_it(make_pack: PackMaker, tmp_path: Path):
    space = write_space(
        tmp_path / "space.yaml", "method: random\n", "learning_rate: {min: 0.001, max: 0.01}", "epochs: {value: 500}"
    )
    command = ("tune", make_pack().path, "--storage", tmp_path / "runs", "--name", "few", *ONE_PROCESS)
    done = skin_tune_here(*command, "--space", space, "--trials", 8, "--image-budget", "1e2")
    assert done.returncode == 0, done.stderr
    assert "1 trial was interrupted; --resume resumes it" in done.stdout
    (row,) = load_trials(tmp_path / "runs").to_dict("records")
    assert (row["status"], row["images"]) == ("interrupted", 126), "three epochs of 42 images"
    assert_one_line_error(skin_tune_here(*command, "--resume"), "--image-budget 100", "has spent 126 already")
    resumed = skin_tune_here(*command, "--resume", "--image-budget", 150)
    assert resumed.returncode == 0, resumed.stderr
    (row,) = load_trials(tmp_path / "runs").to_dict("records")
    assert (row["epochs"], row["images"]) == (4, 168)


SLOW = ("learning_rate: {min: 1.0e-5, max: 2.0e-5}", "epochs: {value: 500}")
"""Guesses at first, which makes a balanced accuracy of 0.333, and some epochs later knows all."""
NOTHING_LEARNED = "learning_rate: {min: 1.0e-12, max: 2.0e-12}"


def with_target(folder: Path, target: object, *parameters: str) -> Path:
    head = f"method: random\nmetric: {{name: val_balanced_acc, goal: maximize, target: {target}}}\n"
    return write_space(folder / "space.yaml", head, *parameters)


@joins
def test_an_experiment_that_reaches_its_target_ends_and_does_not_go_on(make_pack: PackMaker, tmp_path: Path):
    command = ("tune", make_pack().path, "--storage", tmp_path / "runs", "--name", "aim", *ONE_PROCESS)
    where = ("--space", with_target(tmp_path, 0.3, *SLOW), "--trials", 8)
    done = skin_tune_here(*command, *where)
    assert done.returncode == 0, done.stderr
    line = "target val_balanced_acc 0.3 reached by aim-000 in epoch 1: the experiment "
    assert f"{line}ends\n" in done.stdout
    assert "1 trial was interrupted; --resume with a higher metric.target, or none, resumes it" in done.stdout
    (row,) = load_trials(tmp_path / "runs").to_dict("records")
    assert (row["trial_id"], row["status"], row["epochs"]) == ("aim-000", "interrupted", 1)

    again = skin_tune_here(*command, *where, "--resume")
    assert again.returncode == 0, again.stderr
    assert f"{line}has ended\n" in again.stdout
    assert not again.stderr
    assert load_epochs(tmp_path / "runs")["epoch"].tolist() == [1]

    higher = ("--space", with_target(tmp_path, 0.7, *SLOW), "--trials", 8)
    further = skin_tune_here(*command, *higher, "--resume")
    assert further.returncode == 0, further.stderr
    assert "'aim' was started with target 0.3, and is resumed with 0.7" in further.stderr
    assert "target val_balanced_acc 0.7 reached by aim-000 in epoch" in further.stdout
    (row,) = load_trials(tmp_path / "runs").to_dict("records")
    assert row["epochs"] > 1
    assert row["val_balanced_acc"] >= 0.7


@joins
def test_a_target_that_is_not_reached_changes_nothing(make_pack: PackMaker, tmp_path: Path):
    space = with_target(tmp_path, 1, NOTHING_LEARNED, "epochs: {value: 1}")
    where = ("--space", space, "--storage", tmp_path / "runs", "--trials", 2)
    done = skin_tune_here("tune", make_pack().path, *where, *ONE_PROCESS)
    assert done.returncode == 0, done.stderr
    assert "reached by" not in done.stdout
    assert load_trials(tmp_path / "runs")["status"].tolist() == ["completed", "completed"]


@joins
def test_of_several_regions_each_ends_on_its_own_target(make_pack: PackMaker, tmp_path: Path):
    ends_early, goes_on = tmp_path / "early", tmp_path / "on"
    ends_early.mkdir()
    goes_on.mkdir()
    requests = [
        TuneRequest(
            make_pack(name=region, region=region).path,
            space,
            name="both",
            trials=4,
            storage=tmp_path / "runs",
            concurrent=2,
            cpus_per_trial=1,
            wandb="disabled",
        )
        for region, space in (
            ("lip_dryness", with_target(ends_early, 0.3, *SLOW)),
            ("chin_sagging", with_target(goes_on, 1, NOTHING_LEARNED, "epochs: {value: 2}")),
        )
    ]
    with contextlib.redirect_stderr(io.StringIO()):
        early, whole = run_experiments(requests)
    assert isinstance(early, Outcome)
    assert isinstance(whole, Outcome)
    assert early.reached is not None
    assert len(early.rows) <= 2, "no trial starts once the target is reached"
    assert all(row["status"] == "interrupted" and row["epochs"] <= 2 for row in early.rows)
    assert set(early.interrupted) == {row["trial_id"] for row in early.rows}
    assert whole.reached is None
    assert [row["status"] for row in whole.rows] == ["completed"] * 4


@joins
def test_an_experiment_with_nothing_left_to_win_starts_no_more_trials(make_pack: PackMaker, tmp_path: Path):
    space = write_space(tmp_path / "space.yaml", "method: random\n", NOTHING_LEARNED, "epochs: {value: 1}", small=TINY)
    command = ("tune", make_pack().path, "--storage", tmp_path / "runs", "--name", "flat", *ONE_PROCESS)
    done = skin_tune_here(*command, "--space", space, "--trials", 40, "--until", "settled")
    assert done.returncode == 0, done.stderr
    line = "settled after 33 trials: none of the last 32 beat flat-000 by more than its noise, 0."
    assert line in " ".join(done.stdout.split())
    assert load_trials(tmp_path / "runs")["status"].value_counts().to_dict() == {"completed": 33}

    again = skin_tune_here(*command, "--resume")
    assert "the experiment has ended" in again.stdout
    further = skin_tune_here(*command, "--resume", "--until", "end", "--trials", 34)
    assert further.returncode == 0, further.stderr
    assert len(load_trials(tmp_path / "runs")) == 34
