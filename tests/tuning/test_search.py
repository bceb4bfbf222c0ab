from pathlib import Path

import pytest
from ray.tune.search import Searcher

from skin_tune.config import TrialConfig
from skin_tune.tuning.scheduler import most_epochs
from skin_tune.tuning.search import SpaceSearcher
from skin_tune.tuning.space import Space, load_space

SPACE = """
method: {method}
metric: {{name: val_balanced_acc, goal: maximize}}
parameters:
  learning_rate: {{distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-1}}
  oversample: {{values: [none, sqrt, balanced]}}
  epochs: {{value: 4}}
"""


def space_of(tmp_path: Path, method: str, text: str = SPACE) -> Space:
    (tmp_path / "space.yaml").write_text(text.format(method=method))
    return load_space(tmp_path / "space.yaml")


def run(searcher: SpaceSearcher, trial_id: str, score: float, epochs: int = 4) -> dict[str, object]:
    config = searcher.suggest(trial_id)
    assert isinstance(config, dict)
    for epoch in range(1, epochs + 1):
        searcher.on_trial_result(trial_id, {"epoch": epoch, "val_balanced_acc": score})
    result = {"epoch": epochs, "val_balanced_acc": score, "best_val_balanced_acc": score}
    searcher.on_trial_complete(trial_id, result)
    return config


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_a_suggestion_is_a_whole_legal_config_and_the_seed_decides_it(tmp_path: Path, method: str):
    first, again, other = (SpaceSearcher(space_of(tmp_path, method), seed).suggest("t") for seed in (3, 3, 4))
    assert isinstance(first, dict)
    assert TrialConfig.from_mapping(first).epochs == 4
    assert set(first) == set(TrialConfig().to_dict())
    assert first == again
    assert first["learning_rate"] != other["learning_rate"]  # type: ignore[index]
    assert first["seed"] == 3


def test_a_grid_is_walked_once(tmp_path: Path):
    text = "method: grid\nparameters:\n  gamma: {{values: [0, 1]}}\n  oversample: {{values: [none, balanced]}}\n"
    searcher = SpaceSearcher(space_of(tmp_path, "grid", text), 0)
    drawn = [searcher.suggest(str(number)) for number in range(5)]
    assert drawn[4] == Searcher.FINISHED
    assert {(config["gamma"], config["oversample"]) for config in drawn[:4]} == {
        (gamma, oversample) for gamma in (0.0, 1.0) for oversample in ("none", "balanced")
    }


def test_bayes_comes_to_prefer_what_scored_well(tmp_path: Path):
    searcher = SpaceSearcher(space_of(tmp_path, "bayes"), 0)
    late = []
    for number in range(60):
        trial_id = str(number)
        config = searcher.suggest(trial_id)
        assert isinstance(config, dict)
        score = float(config["learning_rate"] > 1e-3) + float(config["oversample"] == "sqrt")
        searcher.on_trial_result(trial_id, {"epoch": 4, "val_balanced_acc": score})
        searcher.on_trial_complete(trial_id, {"epoch": 4, "best_val_balanced_acc": score, "val_balanced_acc": score})
        if number >= 40:
            late.append(score)
    assert sum(late) / len(late) > 1.2  # drawn at random: 0.83


def test_stopped_diverged_and_failed_trials_are_told_apart(tmp_path: Path):
    searcher = SpaceSearcher(space_of(tmp_path, "bayes"), 0)
    run(searcher, "completed", 0.5)
    run(searcher, "stopped", 0.3, epochs=2)
    searcher.suggest("diverged")
    searcher.on_trial_complete("diverged", {"status": "diverged", "epoch": 1})
    searcher.suggest("failed")
    searcher.on_trial_complete("failed", {"status": "failed", "epoch": 0})
    searcher.suggest("lost")
    searcher.on_trial_complete("lost", None, error=True)
    states = [trial.state.name for trial in searcher._study.trials]
    assert states == ["COMPLETE", "PRUNED", "PRUNED", "FAIL", "FAIL"]


def test_the_longest_trial_sets_ashas_horizon(tmp_path: Path):
    assert most_epochs(space_of(tmp_path, "random")) == 4
    swept = "method: random\nparameters:\n  epochs: {{values: [3, 9, 5]}}\n"
    assert most_epochs(space_of(tmp_path, "random", swept)) == 9
    ranged = "method: random\nparameters:\n  epochs: {{min: 2, max: 12}}\n"
    assert most_epochs(space_of(tmp_path, "random", ranged)) == 12
    silent = "method: random\nparameters:\n  gamma: {{values: [1, 2]}}\n"
    assert most_epochs(space_of(tmp_path, "random", silent)) == TrialConfig().epochs
