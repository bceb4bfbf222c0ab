from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from ray.tune.search import Searcher

from skin_tune.config import TrialConfig
from skin_tune.tuning.search.asha import most_epochs
from skin_tune.tuning.search.searcher import SpaceSearcher
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.space.sweep_file import load_space

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


def searcher_of(tmp_path: Path, method: str, text: str = SPACE, seed: int = 0, **resumed: Any) -> SpaceSearcher:
    tmp_path.mkdir(exist_ok=True)
    space = space_of(tmp_path, method, text)
    return SpaceSearcher(space, seed, "exp", tmp_path / "journal", **resumed)


def study_below(tmp_path: Path) -> optuna.Study:
    """What the journal of `searcher_of` holds."""
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    return optuna.load_study(study_name="live parameters", storage=storage)


def configs_of(suggested: list[Any]) -> list[dict[str, Any]]:
    """Suggestions without what is no hyper-parameter."""
    return [{name: value for name, value in config.items() if name != "trial_id"} for config in suggested]


def run(searcher: SpaceSearcher, trial_id: str, score: float, epochs: int = 4) -> dict[str, object]:
    config = searcher.suggest(trial_id)
    assert isinstance(config, dict)
    result = {"epoch": epochs, "val_balanced_acc": score, "best_val_balanced_acc": score}
    searcher.on_trial_complete(trial_id, result)
    return config


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_the_first_trial_has_the_defaults_as_far_as_the_space_can_draw_them(tmp_path: Path, method: str):
    text = SPACE + "  batch_size: {{values: [8, 16, 32]}}\n  weight_decay: {{min: 0.5, max: 0.7}}\n"
    searcher = searcher_of(tmp_path, method, text, seed=3)
    first, second = searcher.suggest("0"), searcher.suggest("1")
    assert isinstance(first, dict)
    assert (first["learning_rate"], first["oversample"]) == (pytest.approx(1e-4), "balanced")
    assert (first["batch_size"], first["weight_decay"]) == (16, pytest.approx(0.6)), "the middle"
    assert second["learning_rate"] != pytest.approx(1e-4)
    resumed = searcher_of(tmp_path / "again", method, text, seed=3, defaults={**TrialConfig().to_dict(), "gamma": 9.0})
    assert resumed.suggest("0") == {**first, "gamma": 9.0}


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_a_space_that_an_older_version_read_begins_with_a_draw(tmp_path: Path, method: str):
    space = replace(space_of(tmp_path, method), defaults_first=False)
    rates = [
        SpaceSearcher(space, seed, "exp", tmp_path / f"journal-{seed}").suggest("0")["learning_rate"] for seed in (3, 4)
    ]
    assert rates[0] != rates[1]


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_a_suggestion_is_a_whole_legal_config_and_the_seed_decides_it(tmp_path: Path, method: str):
    first, again, other = (
        searcher_of(tmp_path / f"{number}", method, seed=seed, started_ids=["exp-000"]).suggest("t")
        for number, seed in enumerate((3, 3, 4))
    )
    assert isinstance(first, dict)
    assert first["trial_id"] == "exp-001"
    assert TrialConfig.from_mapping({k: v for k, v in first.items() if k != "trial_id"}).epochs == 4
    assert set(first) == {*TrialConfig().to_dict(), "trial_id"}
    assert first == again
    assert first["learning_rate"] != other["learning_rate"]
    assert first["seed"] == 3


def test_a_grid_is_walked_once(tmp_path: Path):
    text = "method: grid\nparameters:\n  gamma: {{values: [0, 1]}}\n  oversample: {{values: [none, balanced]}}\n"
    searcher = searcher_of(tmp_path, "grid", text)
    drawn = [searcher.suggest(str(number)) for number in range(5)]
    assert drawn[4] == Searcher.FINISHED
    assert {(config["gamma"], config["oversample"]) for config in drawn[:4]} == {
        (gamma, oversample) for gamma in (0.0, 1.0) for oversample in ("none", "balanced")
    }


def test_bayes_comes_to_prefer_what_scored_well(tmp_path: Path):
    searcher = searcher_of(tmp_path, "bayes")
    late = []
    for number in range(60):
        trial_id = str(number)
        config = searcher.suggest(trial_id)
        assert isinstance(config, dict)
        score = float(config["learning_rate"] > 1e-3) + float(config["oversample"] == "sqrt")
        searcher.on_trial_complete(trial_id, {"epoch": 4, "best_val_balanced_acc": score, "val_balanced_acc": score})
        if number >= 40:
            late.append(score)
    assert sum(late) / len(late) > 1.2  # drawn at random: 0.83


def test_stopped_diverged_and_failed_trials_are_told_apart(tmp_path: Path):
    searcher = searcher_of(tmp_path, "bayes")
    run(searcher, "completed", 0.5)
    run(searcher, "stopped", 0.3, epochs=2)
    searcher.suggest("diverged")
    searcher.on_trial_complete("diverged", {"status": "diverged", "epoch": 1})
    searcher.suggest("failed")
    searcher.on_trial_complete("failed", {"status": "failed", "epoch": 0})
    searcher.suggest("lost")
    searcher.on_trial_complete("lost", None, error=True)
    states = [trial.state.name for trial in study_below(tmp_path).trials]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "FAIL"]


def test_a_bad_trial_that_ran_to_its_end_ranks_below_a_better_one_that_was_stopped(tmp_path: Path):
    searcher = searcher_of(tmp_path, "bayes")
    run(searcher, "first", 0.1)
    better = run(searcher, "stopped", 0.3, epochs=1)
    assert study_below(tmp_path).best_trial.user_attrs["trial_id"] == better["trial_id"]
    assert study_below(tmp_path).best_value == 0.3


def test_the_longest_trial_sets_ashas_horizon(tmp_path: Path):
    assert most_epochs(space_of(tmp_path, "random")) == 4
    swept = "method: random\nparameters:\n  epochs: {{values: [3, 9, 5]}}\n"
    assert most_epochs(space_of(tmp_path, "random", swept)) == 9
    ranged = "method: random\nparameters:\n  epochs: {{min: 2, max: 12}}\n"
    assert most_epochs(space_of(tmp_path, "random", ranged)) == 12
    silent = "method: random\nparameters:\n  gamma: {{values: [1, 2]}}\n"
    assert most_epochs(space_of(tmp_path, "random", silent)) == TrialConfig().epochs


@pytest.mark.parametrize("method", ["random", "grid"])
def test_a_resumed_search_goes_on_with_the_draws_an_unbroken_one_would_make(tmp_path: Path, method: str):
    text = "method: {method}\nparameters:\n  gamma: {{values: [0, 1, 2, 3]}}\n  oversample: {{values: [none, sqrt]}}\n"
    unbroken = searcher_of(tmp_path / "a", method, text)
    drawn = [unbroken.suggest(str(number)) for number in range(6)]
    resumed = searcher_of(
        tmp_path / "b",
        method,
        text,
        started_ids=["exp-000", "exp-001", "exp-002"],
        tried=configs_of(drawn[:3]),
        unfinished=[drawn[1]],
    )
    assert [resumed.suggest(str(number)) for number in range(4)] == [drawn[1], *drawn[3:]]


def test_a_resumed_bayes_search_draws_what_an_unbroken_one_would(tmp_path: Path):
    def score(config: dict[str, object]) -> float:
        return -abs(float(config["learning_rate"]) - 1e-3)  # type: ignore[arg-type]

    drawn: dict[str, list[dict[str, object]]] = {"unbroken": [], "resumed": []}
    for name, configs in drawn.items():
        searcher = searcher_of(tmp_path / name, "bayes")
        for number in range(20):
            if name == "resumed" and number in (4, 15):  # before and after TPE has begun to learn
                started = [config["trial_id"] for config in configs]
                searcher = searcher_of(tmp_path / name, "bayes", started_ids=started, tried=configs_of(configs))
            config = searcher.suggest(str(number))
            assert isinstance(config, dict)
            result = {"epoch": 4, "val_balanced_acc": score(config), "best_val_balanced_acc": score(config)}
            searcher.on_trial_complete(str(number), result)
            configs.append(config)
    assert drawn["resumed"] == drawn["unbroken"]


def test_a_resumed_bayes_search_remembers_what_was_tried_and_takes_up_what_was_running(tmp_path: Path):
    searcher = searcher_of(tmp_path, "bayes")
    for number in range(3):
        run(searcher, str(number), 0.1 * number)
    running = searcher.suggest("running")
    resumed = searcher_of(tmp_path, "bayes", started_ids=[f"exp-00{n}" for n in range(4)], unfinished=[running])
    assert [trial.state.name for trial in study_below(tmp_path).trials] == ["COMPLETE"] * 3 + ["RUNNING"]
    assert resumed.suggest("again") == running
    resumed.on_trial_complete("again", {"epoch": 4, "val_balanced_acc": 0.9, "best_val_balanced_acc": 0.9})
    assert study_below(tmp_path).best_value == 0.9
    assert resumed.suggest("next")["trial_id"] == "exp-004"


def test_bayes_comes_to_avoid_where_trials_diverge_even_late(tmp_path: Path):
    late = []
    for seed in range(3):
        searcher = searcher_of(tmp_path / str(seed), "bayes", seed=seed)
        for number in range(50):
            config = searcher.suggest(str(number))
            assert isinstance(config, dict)
            diverges = config["learning_rate"] > 1e-3
            stopped = {"epoch": 1, "val_balanced_acc": 0.3, "best_val_balanced_acc": 0.3}
            searcher.on_trial_complete(str(number), {"status": "diverged", "epoch": 3} if diverges else stopped)
            if number >= 30:
                late.append(diverges)
    assert sum(late) / len(late) < 0.35  # drawn at random: 0.5


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_a_trial_that_was_suggested_and_not_started_is_suggested_again(tmp_path: Path, method: str):
    searcher = searcher_of(tmp_path, method)
    drawn = [searcher.suggest(str(number)) for number in range(4)]
    resumed = searcher_of(tmp_path, method, started_ids=["exp-000", "exp-003"])
    again = [resumed.suggest(str(number)) for number in range(3)]
    assert again[:2] == drawn[1:3]
    assert again[2]["trial_id"] == "exp-004"
