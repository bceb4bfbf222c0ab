"""Packs, checkpoints, lock and store in a bucket whose server fails for a while."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from ray.cluster_utils import Cluster

from skin_tune.results import load_epochs, load_predictions, load_trials
from tests.cli_runner import assert_one_line_error, skin_tune_here, without_progress
from tests.conftest import Bucket
from tests.integration.offline_runs import offline_runs
from tests.integration.processes import start, wait_until
from tests.integration.test_before_the_move import draw_photos

SPACE = """
method: bayes
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
  backbone: {value: timm/test_resnet}
  weights: {value: none}
  image_size: {value: 16}
  batch_size: {value: 16}
  epochs: {value: 5}
"""


def test_an_experiment_in_a_bucket_outlives_an_outage_and_its_driver(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cluster: Callable[[], Cluster]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKIN_TUNE_STORAGE", f"{bucket.url}/runs")
    monkeypatch.setenv("SKIN_TUNE_PACKS", f"{bucket.url}/packs")
    draw_photos(Path("photos"))
    prepared = skin_tune_here("prepare", "photos", "--region", "acne", "--size", 16)
    assert prepared.returncode == 0, prepared.stderr
    assert {path.name for path in (bucket.path / "packs").iterdir()} == {
        "acne-16.arrow",
        "acne-16.quarantine.csv",
    }
    Path("space.yaml").write_text(SPACE)
    pack, experiments = f"{bucket.url}/packs/acne-16.arrow", bucket.path / "runs" / "experiments" / "acne"

    def command(name: str, *more: str, trials: int = 3) -> tuple[str, ...]:
        common = ("--space", "space.yaml", "--concurrent", "1", "--cpus-per-trial", "1", "--wandb", "offline")
        return ("tune", pack, *common, "--trials", str(trials), "--name", name, *more)

    process = start(*command("killed"))
    wait_until(lambda: list((experiments / "killed").glob("checkpoints/*/last.pt")))
    bucket.outage.touch()
    time.sleep(8)
    bucket.outage.unlink()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("SKIN_TUNE_CACHE", str(tmp_path / "elsewhere"))
        process.send_signal(signal.SIGSTOP)  # or its trials are over before the other command has been refused
        again = skin_tune_here(*command("killed", "--resume"))
        process.send_signal(signal.SIGCONT)
    assert_one_line_error(without_progress(again), "'killed'", f"by process {process.pid}", "last heard of")
    wait_until(lambda: list((experiments / "killed").glob("checkpoints/killed-001/last.pt")))
    process.kill()
    assert process.wait() == -signal.SIGKILL, "the kill came too late"
    monkeypatch.setenv("RAY_ADDRESS", own_cluster().address)
    resumed = skin_tune_here(*command("killed", "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    unbroken = skin_tune_here(*command("unbroken", trials=2))
    assert unbroken.returncode == 0, unbroken.stderr

    trials = load_trials(f"{bucket.url}/runs", experiment="killed")
    assert trials["status"].tolist() == ["completed"] * 3
    assert trials["checkpoint"].str.startswith("s3://").all()
    pd.testing.assert_frame_equal(figures(bucket, "killed").head(10), figures(bucket, "unbroken"))
    journal = (experiments / "killed" / "search.log").read_text()
    assert journal.count('"state":1') == 3, "Optuna has been told the end of each trial"
    assert not list(experiments.glob("*/checkpoints/*/last.pt"))
    assert not list(experiments.glob("*/lock"))
    assert len(offline_runs(tmp_path)) == 5
    assert not Path("runs").exists()

    refit = skin_tune_here("refit", "killed")
    assert refit.returncode == 0, refit.stderr
    (model,) = (experiments / "killed" / "refit").iterdir()
    assert {path.name for path in model.iterdir()} >= {"model.pt", "metrics.json", "model_card.md"}
    said = load_predictions(f"{bucket.url}/runs", experiment="killed")
    assert set(said[said["split"] == "test"]["trial_id"]) == {model.name}
    assert set(said[said["split"] == "val"]["trial_id"]) == {*trials["trial_id"], model.name}


def figures(bucket: Bucket, experiment: str) -> pd.DataFrame:
    """What a seed decides of an experiment's epochs."""
    frame = load_epochs(f"{bucket.url}/runs", experiment=experiment).sort_values(["trial_id", "epoch"])
    frame["trial_id"] = frame["trial_id"].str.removeprefix(experiment)
    return frame.drop(columns=["experiment", "epoch_seconds", "images_per_second"]).reset_index(drop=True)
