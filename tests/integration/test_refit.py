"""A champion that is trained again and tested once."""

import json
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score

from skin_tune.data.pack.format import open_pack
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.results import load_predictions, load_test_openings, load_trials
from skin_tune.training.checkpoint import load_checkpoint
from tests.cli_runner import ONE_PROCESS, assert_one_line_error, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.offline_runs import offline_runs

SPACE = """
method: grid
parameters:
  learning_rate: {values: [1.0e-12, 1.0e-3]}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 16}
  epochs: {value: 2}
"""


@pytest.fixture(scope="module")
def tuned(cluster_with_dashboard: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pack and an experiment `exp` of two trials, the second of which is the better one."""
    folder = tmp_path_factory.mktemp("refit")
    pack = write_synthetic_pack(folder / "pack.arrow", {"train": (40, 20, 10), "val": (8, 6, 4), "test": (9, 6, 3)})
    (folder / "space.yaml").write_text(SPACE)
    where = ("--space", folder / "space.yaml", "--storage", folder / "runs")
    done = skin_tune_here("tune", pack.path, *where, "--name", "exp", *ONE_PROCESS)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_champion_is_trained_on_two_workers_and_tested_once(tuned: Path):
    storage = tuned / "runs"
    options = ("--workers", 2, "--include-val", "--wandb", "offline", "--wandb-artifacts")
    command = ("refit", "exp", "--storage", storage, *options)
    done = skin_tune_here(*command)
    assert done.returncode == 0, done.stderr
    again = skin_tune_here(*command)
    assert again.returncode == 0, again.stderr
    assert "the test split was not opened again" in again.stdout
    assert "artifact lip_dryness-exp:champion was logged before" in again.stderr

    folder = storage / "experiments" / "lip_dryness" / "exp" / "refit" / "exp-001-refit-train-val"
    facts = json.loads((folder / "metrics.json").read_text())
    assert facts["trained_on"] == "train and val"
    assert [row["train_images"] for row in facts["classes"]] == [48, 26, 14]
    assert [row["test_images"] for row in facts["classes"]] == [9, 6, 3]
    champion = load_trials(storage).set_index("trial_id").loc["exp-001"]
    config = json.loads((folder / "config.json").read_text())
    assert {f"config/{name}": value for name, value in config.items()} == {
        name: None if pd.isna(value) else value
        for name, value in zip(map(str, champion.index), champion, strict=True)
        if name.startswith("config/")
    }
    assert json.loads((folder / "classes.json").read_text()) == ["0", "1", "2"]

    rows = load_predictions(storage, experiment="exp")
    rows = rows[rows["split"] == "test"]
    assert set(rows["trial_id"]) == {folder.name}
    label, predicted = rows["label"], rows["predicted"]
    probabilities = np.stack(rows["probabilities"].to_list())
    assert probabilities.shape == (18, 3)
    assert predicted.tolist() == probabilities.argmax(axis=1).tolist()
    assert facts["metrics"]["test_balanced_acc"] == pytest.approx(balanced_accuracy_score(label, predicted))
    assert facts["metrics"]["test_macro_f1"] == pytest.approx(f1_score(label, predicted, average="macro"))
    precision = precision_score(label, predicted, average=None, zero_division=np.nan, labels=[0, 1, 2])
    for row, expected in zip(facts["classes"], precision, strict=True):
        assert (row["precision"] is None) == np.isnan(expected)
        assert row["precision"] is None or row["precision"] == pytest.approx(expected)

    evaluation = evaluate_file(folder / "model.pt", tuned / "pack.arrow", "test")
    assert evaluation.confusion.tolist() == facts["confusion"]
    assert load_checkpoint(folder / "model.pt")["epoch"] == 2

    openings = load_test_openings(storage)
    assert openings[["trial_id", "command"]].to_numpy().tolist() == [[folder.name, "refit"]]
    card = (folder / "model_card.md").read_text()
    assert "has been opened once" in card
    assert f"torch {version('torch')}" in card
    assert "- Machine: " in card
    assert f"| {facts['classes'][2]['class']} | 14 | 3 |" in card

    (run,) = offline_runs(storage).values()
    (model,) = run.models
    assert {Path(entry.local_path) for entry in model.manifest.contents} == {
        folder / "model.pt",
        folder / "model_card.md",
    }
    assert run.summary["test_balanced_acc"] == facts["metrics"]["test_balanced_acc"]
    assert run.summary["status"] == "completed"
    assert [step["_step"] for step in run.steps if "train_loss" in step] == [1, 2]
    assert not list(storage.rglob("last.pt"))


def test_a_combination_is_trained_member_by_member_and_tested_once(tuned: Path):
    storage = tuned / "runs"
    done = skin_tune_here("combine", "exp", "--top", 2, "--storage", storage)
    assert done.returncode == 0, done.stderr
    done = skin_tune_here("refit", "exp-combined", "--storage", storage, "--wandb", "disabled")
    assert done.returncode == 0, done.stderr
    folder = storage / "experiments" / "lip_dryness" / "exp-combined" / "refit" / "exp-top2-refit"
    facts = json.loads((folder / "metrics.json").read_text())
    assert (facts["members"], facts["epochs"]) == (["exp-001", "exp-000"], 4)
    rows = load_predictions(storage, experiment="exp-combined", split="test")
    found = balanced_accuracy_score(rows["label"], rows["predicted_adjusted"])
    assert facts["metrics"]["test_balanced_acc_adjusted"] == pytest.approx(found)
    (told,) = re.findall(r"test_balanced_acc_adjusted (\S+),", done.stdout)  # 1 where all are right
    assert float(told) == pytest.approx(found, abs=5e-4)
    evaluation = evaluate_file(folder / "model.pt", tuned / "pack.arrow", "test")
    assert evaluation.confusion_by(adjusted=True).tolist() == facts["confusion"]
    openings = load_test_openings(storage, experiment="exp-combined")
    assert openings["trial_id"].tolist() == ["exp-top2-refit"]
    assert not list((storage / "experiments").rglob("exp-top2-refit-exp-00*"))


def test_what_cannot_be_refitted_is_refused_in_one_line(tuned: Path, tmp_path: Path):
    common = ("--storage", tuned / "runs")
    assert_one_line_error(skin_tune_here("refit", "none", *common), "'none'", "lip_dryness/exp")
    assert_one_line_error(skin_tune_here("refit", "exp", *common, "--trial", "exp-9"), "no trial 'exp-9'")
    artifacts = ("--wandb-artifacts", "--wandb", "disabled")
    assert_one_line_error(skin_tune_here("refit", "exp", *common, *artifacts), "--wandb-artifacts", "--wandb offline")
    assert_one_line_error(skin_tune_here("refit", "exp", *common, "--workers", 0), "--workers 0", "below 1")
    assert_one_line_error(skin_tune_here("refit", "exp", *common, "--workers", 8), "batch_size=16", "8 workers")
    other = write_synthetic_pack(tmp_path / "other.arrow", seed=1)
    assert_one_line_error(skin_tune_here("refit", "exp", *common, "--pack", other.path), other.info.pack_id)
    counts = {"train": (40, 20), "val": (8, 6), "test": (0, 0)}
    same = open_pack(tuned / "pack.arrow").info.pack_id
    untested = write_synthetic_pack(tmp_path / "untested.arrow", counts, pack_id=same)
    assert_one_line_error(skin_tune_here("refit", "exp", *common, "--pack", untested.path), "no test image")
