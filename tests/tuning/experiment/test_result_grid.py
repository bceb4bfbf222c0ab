"""A stored experiment as Ray Tune's ResultGrid: Ray's own methods on the store's figures."""

import pickle
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import ray
from ray.tune import ResultGrid, Trainable
from ray.tune.experiment import Trial

import skin_tune
from skin_tune.config import TrialConfig
from skin_tune.errors import ExperimentError, StoreError
from skin_tune.results import load_epochs, load_trials
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.experiment.result_grid import StoredAnalysis
from skin_tune.tuning.trial.stored_config import columns_of
from tests.cli_runner import ROOT
from tests.conftest import Bucket

OLD = ROOT / "tests" / "fixtures" / "before_the_move" / "storage"
SCORES = {
    "exp-000": [0.3, 0.8, 0.5],
    "exp-001": [0.2, 0.6, 0.7],
    "exp-002": [0.9],
    "exp-003": [],
}
STATUSES = {"exp-000": "completed", "exp-001": "stopped_early", "exp-002": "diverged", "exp-003": "failed"}


def write(
    storage: Location,
    scores: Mapping[str, list[float]] = SCORES,
    statuses: Mapping[str, str] = STATUSES,
    region: str = "lip_dryness",
    **columns: Any,
) -> None:
    """The experiment `exp` with a balanced accuracy for each epoch of its trials, whose other figures are drawn."""
    rng, began = np.random.default_rng(0), now() - timedelta(hours=1)
    writer = ExperimentWriter(storage, region, "exp")
    for number, (trial_id, reached) in enumerate(scores.items()):
        config: dict[str, Any] = {
            "seed": number,
            "train_loss": ("ce", "focal")[number % 2],
            "epochs": 3,
            "warmup_epochs": 0,
        }
        row = {"started_at": began, "metric": "val_balanced_acc", **columns_of(TrialConfig(**config).to_dict())}
        writer.update_trial(trial_id, status=statuses[trial_id], epochs=len(reached), **row)
        seconds = rng.random(len(reached)) * 7
        for epoch, score in enumerate(reached, start=1):
            drawn = {"train_loss": rng.random(), "learning_rate": rng.random(), "images": 50}
            times = {"epoch_seconds": seconds[epoch - 1], "images_per_second": 50 / seconds[epoch - 1]}
            writer.add_epoch(trial_id, {"epoch": epoch, "val_balanced_acc": score, **drawn, **times})
        if reached:
            writer.update_trial(trial_id, best_epoch=int(np.argmax(reached)) + 1, val_balanced_acc=max(reached))
            writer.update_trial(trial_id, seconds=float(seconds.sum()) + 1.7)
        if statuses[trial_id] in ("diverged", "failed"):
            writer.update_trial(trial_id, error=f"{trial_id} went wrong")
        if statuses[trial_id] not in ("running", "interrupted"):
            writer.update_trial(trial_id, ended_at=began + timedelta(minutes=10))
        writer.update_trial(trial_id, **columns)
    writer.flush()
    writer.close()


def keep_model(storage: Location, trial_id: str) -> None:
    folder = RunPaths(storage).checkpoints("lip_dryness", "exp", trial_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "best.pt").write_bytes(f"model of {trial_id}".encode())
    writer = ExperimentWriter(storage, "lip_dryness", "exp")
    writer.update_trial(trial_id, checkpoint=str(folder / "best.pt"))
    writer.flush()
    writer.close()


@pytest.fixture
def grid(tmp_path: Path) -> ResultGrid:
    write(tmp_path)
    keep_model(tmp_path, "exp-001")
    return skin_tune.result_grid(tmp_path, experiment="exp")


def test_it_is_rays_own_and_ray_is_not_started(grid: ResultGrid):
    assert isinstance(grid, ResultGrid)
    assert [result.metrics["trial_id"] for result in grid] == list(SCORES)
    assert not ray.is_initialized()


def test_every_figure_of_every_epoch_is_the_stores_to_the_bit(grid: ResultGrid, tmp_path: Path):
    epochs = load_epochs(tmp_path)
    figures = [str(name) for name in epochs if epochs[name].dtype.kind in "if"]
    assert {"val_balanced_acc", "train_loss", "learning_rate", "images", "val_qwk"} <= set(figures)
    for result in (result for result in grid if SCORES[result.metrics["trial_id"]]):
        own = epochs[epochs["trial_id"] == result.metrics["trial_id"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(result.metrics_dataframe[figures], own[figures], check_exact=True)
        for name in figures:
            last = own[name].iloc[-1]
            assert result.metrics[name] == last or (result.metrics[name] is None and np.isnan(last)), name


def test_results_have_what_tune_fills_in_itself(grid: ResultGrid, tmp_path: Path):
    class Step(Trainable):
        def step(self) -> dict[str, float]:
            return {"score": 0.5}

    filled_in = set(Step(config={"seed": 1}).train()) - {"score"}
    assert filled_in >= {"training_iteration", "time_total_s", "timestamp", "config", "trial_id"}
    assert filled_in <= set(grid[0].metrics)
    assert {"trial_id", "training_iteration", "logdir", "config/train_loss"} <= set(grid.get_dataframe())
    trial = load_trials(tmp_path).iloc[0]
    history = grid[0].metrics_dataframe
    assert history["training_iteration"].tolist() == [1, 2, 3]
    assert history["time_total_s"].iloc[-1] == trial["seconds"]
    assert history["time_total_s"].diff().iloc[1:].tolist() == pytest.approx(history["epoch_seconds"].iloc[1:].tolist())
    assert grid[0].metrics["timestamp"] == int(trial["ended_at"].timestamp())
    assert history["done"].tolist() == [False, False, True]


def test_the_dataframe_has_the_last_epoch_of_each_trial_or_that_of_a_metric(grid: ResultGrid):
    last = grid.get_dataframe()
    assert last["trial_id"].tolist() == ["exp-000", "exp-001", "exp-002"], "as in Tune, those that reported"
    assert last["val_balanced_acc"].tolist() == [0.5, 0.7, 0.9]
    best = grid.get_dataframe(filter_metric="val_balanced_acc", filter_mode="max")
    assert best["val_balanced_acc"].tolist() == [0.8, 0.7, 0.9]
    assert best["training_iteration"].tolist() == [2, 3, 1]
    assert last["config/seed"].tolist() == [0, 1, 2]


def test_the_dataframe_is_what_ray_itself_makes_of_the_epochs(grid: ResultGrid, monkeypatch: pytest.MonkeyPatch):
    ours = grid.get_dataframe()
    monkeypatch.delattr(StoredAnalysis, "_retrieve_rows")
    pd.testing.assert_frame_equal(ours, grid.get_dataframe())


def test_the_best_is_of_the_metric_asked_for_and_never_one_that_diverged(grid: ResultGrid):
    assert grid.get_best_result("val_balanced_acc", "max").metrics["trial_id"] == "exp-001"
    assert grid.get_best_result("val_balanced_acc", "max", scope="all").metrics["trial_id"] == "exp-000"
    assert grid.get_best_result("val_balanced_acc", "min").metrics["trial_id"] == "exp-000"
    assert grid.get_best_result().metrics["trial_id"] == "exp-001", "the experiment's own metric"
    with pytest.raises(RuntimeError, match="No best trial found for the given metric: val_qwk"):
        grid.get_best_result("val_qwk", "max")


def test_scores_over_epochs_are_those_that_tune_keeps(grid: ResultGrid):
    told = Trial("a trainable", stub=True)
    for row in grid[0].metrics_dataframe.to_dict("records"):
        told.update_last_result({name: row[name] for name in ("training_iteration", "val_balanced_acc", "train_loss")})
    kept = grid._experiment_analysis.trials[0].metric_analysis
    for metric, expected in told.metric_analysis.items():
        assert kept[metric] == pytest.approx(expected), metric
    assert "val_qwk" not in kept
    assert "status" not in kept


def test_trials_that_failed_have_errors(grid: ResultGrid):
    assert (grid.num_errors, grid.num_terminated) == (2, 2)
    assert [str(error) for error in grid.errors] == ["exp-002 went wrong", "exp-003 went wrong"]
    assert grid[0].error is None
    assert grid[3].metrics_dataframe.empty
    assert grid[3].config["train_loss"] == "focal"


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_trials_that_can_go_on_are_neither_terminated_nor_errors(status: str, tmp_path: Path):
    write(tmp_path, {"exp-000": [0.5], "exp-001": [0.6]}, {"exp-000": status, "exp-001": "completed"})
    grid = skin_tune.result_grid(tmp_path, experiment="exp")
    assert (grid.num_errors, grid.num_terminated) == (0, 1)
    assert grid[0].error is None
    assert [result.metrics["done"] for result in grid] == [False, True]


def test_a_config_has_the_types_of_its_hyper_parameters_and_null_for_the_dead(grid: ResultGrid):
    entropy, focal = grid[0].config, grid[1].config
    assert entropy["gamma"] is None
    assert focal["gamma"] == TrialConfig.gamma
    assert (type(focal["seed"]), type(focal["amp"]), type(focal["learning_rate"])) == (int, bool, float)
    assert entropy["beta"] is None
    assert grid.get_dataframe()["config/gamma"].isna().tolist() == [True, False, True]


def test_a_checkpoint_is_the_folder_of_the_models_file(grid: ResultGrid, tmp_path: Path):
    assert [result.checkpoint is None for result in grid] == [True, False, True, True]
    with grid[1].checkpoint.as_directory() as folder:
        assert (Path(folder) / "best.pt").read_text() == "model of exp-001"
    assert grid[1].path == folder
    assert grid[1].get_best_checkpoint("val_balanced_acc", "max").path == folder
    assert grid[1].best_checkpoints[0][1]["epoch"] == 3
    assert Path(grid.experiment_path) == RunPaths(tmp_path).experiment("lip_dryness", "exp")


def test_a_storage_that_was_moved_has_its_models_with_it(grid: ResultGrid, tmp_path: Path):
    shutil.move(tmp_path / "experiments", tmp_path / "moved" / "experiments")
    shutil.move(tmp_path / "results", tmp_path / "moved" / "results")
    moved = skin_tune.result_grid(tmp_path / "moved", experiment="exp")
    with moved[1].checkpoint.as_directory() as folder:
        assert (Path(folder) / "best.pt").read_text() == "model of exp-001"


def test_a_grid_from_a_bucket_downloads_the_checkpoint_that_is_asked_for(bucket: Bucket):
    write(bucket.path)
    keep_model(bucket.path, "exp-001")
    grid = skin_tune.result_grid(bucket.url, experiment="exp")
    assert grid.get_dataframe()["val_balanced_acc"].tolist() == [0.5, 0.7, 0.9]
    with grid.get_best_result().checkpoint.as_directory() as folder:
        assert (Path(folder) / "best.pt").read_text() == "model of exp-001"
    assert not Path(folder).exists()


def test_a_grid_can_be_kept_as_any_of_rays(grid: ResultGrid):
    kept = pickle.loads(pickle.dumps(grid))
    pd.testing.assert_frame_equal(kept.get_dataframe(), grid.get_dataframe())
    assert kept.get_best_result().config == grid.get_best_result().config
    assert "exp-000" in repr(kept)


def test_a_store_of_the_first_version_is_one_too():
    grid = skin_tune.result_grid(OLD, experiment="done")
    stored = load_trials(OLD, experiment="done")
    assert grid.get_dataframe()["training_iteration"].tolist() == stored["epochs"].tolist()
    assert grid.get_dataframe()["time_total_s"].tolist() == stored["seconds"].tolist()
    assert grid[0].metrics["val_balanced_acc_adjusted"] is None
    assert grid[0].config["learning_rate"] == stored["config/learning_rate"].iloc[0]
    assert "train_loss" in grid[0].config
    assert "mixup_alpha" not in grid[0].config, "the first version did not have it"
    assert grid[0].checkpoint.path.startswith("/lab/runs")


def test_a_combination_of_models_is_no_trial(tmp_path: Path):
    write(tmp_path, {"exp-000": [0.5]}, {"exp-000": "completed"})
    writer = ExperimentWriter(tmp_path, "lip_dryness", "exp")
    writer.update_trial("exp-combined", status="completed", members='["exp-000"]', val_balanced_acc=0.9)
    writer.flush()
    writer.close()
    assert len(skin_tune.result_grid(tmp_path, experiment="exp")) == 1


def test_one_of_several_regions_has_to_be_named(tmp_path: Path):
    write(tmp_path)
    write(tmp_path, {"exp-000": [0.1]}, {"exp-000": "completed"}, region="cheek_pore")
    with pytest.raises(ExperimentError, match="cheek_pore, lip_dryness have an experiment 'exp' each; give --region"):
        skin_tune.result_grid(tmp_path, experiment="exp")
    assert len(skin_tune.result_grid(tmp_path, experiment="exp", region="cheek_pore")) == 1


def test_what_the_store_does_not_have_is_an_error(tmp_path: Path):
    with pytest.raises(StoreError, match="no results below"):
        skin_tune.result_grid(tmp_path, experiment="exp")
    write(tmp_path)
    with pytest.raises(StoreError, match=r"no trial of experiment 'other' below .* it holds lip_dryness/exp"):
        skin_tune.result_grid(tmp_path, experiment="other")
