"""skin-tune as an opponent of a hand-written loop: a real search, which draws no more images than the loop does."""

from pathlib import Path

import numpy as np

from benchmarks.opponents.run import task_of
from benchmarks.opponents.search import run_combination, run_skin_tune
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.results import load_trials
from tests.conftest import PackMaker

SPACE = """
method: random
metric: {name: val_balanced_acc_adjusted, goal: maximize}
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-2}
  train_loss: {value: ce}
  oversample: {value: none}
  backbone: {value: resnet18}
  weights: {value: none}
  batch_size: {value: 16}
"""


def test_its_best_trial_and_its_three_best_are_tested_within_the_budget(
    shared_cluster: object, make_pack: PackMaker, tmp_path: Path
):
    pack = make_pack({"train": (20, 12, 6), "val": (4, 3, 3), "test": (4, 3, 2)}, size=16)
    (tmp_path / "space.yaml").write_text(SPACE)
    task = task_of(pack, epochs=2, image_size=16, seed=0)
    single = run_skin_tune(task, pack, tmp_path / "space.yaml", tmp_path)
    trials = load_trials(tmp_path / "runs", pack.info.region, "seed-0")
    assert single.images_drawn == task.budget == 4 * 2 * 38
    assert single.runs == len(trials)
    best = trials.loc[trials["val_balanced_acc_adjusted"].idxmax()]
    evaluation = evaluate_file(best["checkpoint"], pack.path, "test")
    assert evaluation.adjusted_probabilities is not None
    np.testing.assert_array_equal(single.test_predicted, evaluation.adjusted_probabilities.argmax(axis=1))
    assert single.val_balanced_acc == best["val_balanced_acc_adjusted"]

    combined = run_combination(task, pack, tmp_path / "space.yaml", tmp_path)
    again = load_trials(tmp_path / "runs", pack.info.region, "seed-0")
    assert again["trial_id"].tolist() == trials["trial_id"].tolist()  # the same experiment serves both
    ranked = trials.sort_values("val_balanced_acc_adjusted", ascending=False, kind="stable")
    assert combined.config["members"] == ranked["trial_id"].tolist()[:3]
    assert (combined.images_drawn, combined.runs) == (single.images_drawn, single.runs)
    assert combined.test_predicted.shape == single.test_predicted.shape
