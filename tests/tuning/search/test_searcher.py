from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from ray.tune.search import Searcher

from skin_tune.config import TrialConfig, key_of, settled
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
    resumed = searcher_of(
        tmp_path / "again", method, text, seed=3, defaults={**TrialConfig().to_dict(), "dropout_prob": 0.7}
    )
    assert resumed.suggest("0") == {**first, "dropout_prob": 0.7}


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
    text = "method: grid\nparameters:\n  batch_size: {{values: [8, 16]}}\n  oversample: {{values: [none, balanced]}}\n"
    searcher = searcher_of(tmp_path, "grid", text)
    drawn = [searcher.suggest(str(number)) for number in range(5)]
    assert drawn[4] == Searcher.FINISHED
    assert {(config["batch_size"], config["oversample"]) for config in drawn[:4]} == {
        (size, oversample) for size in (8, 16) for oversample in ("none", "balanced")
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
    silent = "method: random\nparameters:\n  batch_size: {{values: [8, 16]}}\n"
    assert most_epochs(space_of(tmp_path, "random", silent)) == TrialConfig().epochs


@pytest.mark.parametrize("method", ["random", "grid"])
def test_a_resumed_search_goes_on_with_the_draws_an_unbroken_one_would_make(tmp_path: Path, method: str):
    lists = "  batch_size: {{values: [8, 16, 32, 64]}}\n  oversample: {{values: [none, sqrt]}}\n"
    text = "method: {method}\nparameters:\n" + lists
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


LISTS = """
method: {method}
parameters:
  train_loss: {{values: [cb, focal, ce]}}
  gamma: {{values: [0.5, 1.0]}}
  beta: {{values: [0.9, 0.99]}}
  oversample: {{values: [none, sqrt]}}
"""
DIFFERENT = (2 * 2 + 2 + 1) * 2


def scored(config: dict[str, Any]) -> float:
    """How good a config of LISTS is: one that a search soon insists on."""
    return float(config["train_loss"] == "ce") + 0.5 * float(config["oversample"] == "sqrt")


def search_all(searcher: SpaceSearcher, most: int) -> list[dict[str, Any]]:
    """What is suggested until the search ends, each told its score, without trial ids."""
    found: list[Any] = []
    for number in range(most):
        config = searcher.suggest(str(number))
        if not isinstance(config, dict):
            assert config == Searcher.FINISHED
            return configs_of(found)
        searcher.on_trial_complete(str(number), {"epoch": 4, "best_val_balanced_acc": scored(config)})
        found.append(config)
    return configs_of(found)


@pytest.mark.parametrize("method", ["bayes", "random", "grid"])
def test_every_config_of_lists_is_suggested_once_and_then_the_search_ends(tmp_path: Path, method: str):
    found = search_all(searcher_of(tmp_path, method, LISTS), 99)
    assert len(found) == len({key_of(config) for config in found}) == DIFFERENT
    assert all(config == settled(config) for config in found), "what is dead has the value that a gap is read as"


@pytest.mark.parametrize("method", ["bayes", "random", "grid"])
def test_a_resumed_search_leaves_out_what_has_been_run_whatever_number_it_had(tmp_path: Path, method: str):
    """As in experiments of older versions, which ran configs again and counted cells that train alike."""
    whole = search_all(searcher_of(tmp_path / "whole", method, LISTS), 99)
    tried = [whole[2], {**whole[2], "smoothing": 0.5}, whole[7]]
    started = [f"exp-{number:03d}" for number in range(3)]
    resumed = searcher_of(tmp_path / "resumed", method, LISTS, started_ids=started, tried=tried)
    found = search_all(resumed, 99)
    assert {key_of(config) for config in (*found, *tried)} == {key_of(config) for config in whole}
    assert len(found) == DIFFERENT - 2


@pytest.mark.parametrize("seed", range(3))
def test_where_a_branch_is_used_up_a_search_goes_on_in_the_others(tmp_path: Path, seed: int):
    text = "method: {method}\nparameters:\n  train_loss: {{values: [ce, focal]}}\n  gamma: {{min: 0.5, max: 3.0}}\n"
    found = search_all(searcher_of(tmp_path, "bayes", text, seed=seed), 25)
    assert len(found) == len({key_of(config) for config in found}) == 25
    assert [config["train_loss"] for config in found].count("ce") <= 1, "though it is the best"


def test_tpe_is_told_of_live_parameters_alone(tmp_path: Path):
    search_all(searcher_of(tmp_path, "bayes", LISTS), 99)
    of_losses = {"cb": {"gamma", "beta"}, "focal": {"gamma"}, "ce": set()}
    told = [trial for trial in study_below(tmp_path).trials if trial.state.name == "COMPLETE"]
    assert len(told) == DIFFERENT
    for trial in told:
        loss = ("cb", "focal", "ce")[trial.params["train_loss"]]
        assert trial.params.keys() == {"train_loss", "oversample", *of_losses[loss]}


def test_a_resumed_bayes_search_of_lists_goes_on_as_an_unbroken_one(tmp_path: Path):
    unbroken = search_all(searcher_of(tmp_path / "unbroken", "bayes", LISTS), 99)
    parts: list[dict[str, Any]] = []
    for _ in range(4):
        started = [f"exp-{number:03d}" for number in range(len(parts))]
        searcher = searcher_of(tmp_path / "parts", "bayes", LISTS, started_ids=started, tried=list(parts))
        parts += search_all(searcher, 4)
    assert parts == unbroken


def test_the_journal_of_an_older_version_is_taken_over_without_dead_parameters(tmp_path: Path):
    (tmp_path / "old").mkdir()
    journal = JournalStorage(JournalFileBackend(str(tmp_path / "old" / "journal")))
    older = optuna.create_study(storage=journal, study_name="search", direction="maximize")
    of = {"train_loss": 3, "gamma": 2, "beta": 2, "oversample": 2}
    kinds: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.CategoricalDistribution(range(count)) for name, count in of.items()
    }
    for number, loss in enumerate((0, 1, 2)):
        params = {"train_loss": loss, "gamma": 1, "beta": 1, "oversample": 0}
        ids = {"trial_id": f"exp-{number:03d}"}
        older.add_trial(optuna.trial.create_trial(params=params, distributions=kinds, value=0.1, user_attrs=ids))
    asked = older.ask(kinds)
    asked.set_user_attr("trial_id", "exp-003")
    older.enqueue_trial({"train_loss": 0})
    started = ["exp-000", "exp-001", "exp-002"]
    for _ in range(2):  # once more: nothing is taken over twice
        searcher = searcher_of(tmp_path / "old", "bayes", LISTS, started_ids=started)
        taken = study_below(tmp_path / "old").trials
        assert [set(trial.params) - {"train_loss", "oversample"} for trial in taken[:3]] == [
            {"gamma", "beta"},
            {"gamma"},
            set(),
        ]
        assert [trial.state.name for trial in taken] == ["COMPLETE"] * 3 + ["RUNNING", "FAIL"]
    config = searcher.suggest("again")
    assert isinstance(config, dict)
    assert (config["trial_id"], config["oversample"]) == ("exp-003", ("none", "sqrt")[asked.params["oversample"]])
    searcher.on_trial_complete("again", {"epoch": 4, "best_val_balanced_acc": 0.7})
    assert study_below(tmp_path / "old").best_trial.user_attrs["trial_id"] == "exp-003"
