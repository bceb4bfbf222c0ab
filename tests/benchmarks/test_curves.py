"""Searches are replayed on measured curves, and metrics compared by what they choose."""

import itertools
import math

import numpy as np
import pytest

from benchmarks.curves.choosing import People, compare_metrics
from benchmarks.curves.compared import compare_searches
from benchmarks.curves.grid import EPOCHS, VALUES, configs
from benchmarks.curves.replay import TRIALS, Search, Spent, random_search, searches
from benchmarks.curves.table import METRICS, TESTED, Table


@pytest.fixture(scope="module")
def table() -> Table:
    """Curves that rise to heights of their own."""
    heights = np.random.default_rng(0).uniform(0.2, 0.8, len(configs()))
    scores = heights[:, None] * (1 - np.exp(-np.arange(1, EPOCHS + 1) / 5))
    return Table(METRICS[0], scores, dict.fromkeys(TESTED, scores / 2))


def test_every_config_of_the_space_has_the_curve_of_its_cell(table: Table):
    for row, config in enumerate(configs()):
        assert table.place(config.to_dict() | {"learning_rate": config.learning_rate * 1.05}) == row
    cells = [dict(zip(VALUES, values, strict=True)) for values in itertools.product(*VALUES.values())]
    assert len(cells) == len(configs()) + len(VALUES["learning_rate"]) * len(VALUES["augmentation_strength"])
    assert {table.place(cell) for cell in cells} == set(range(len(configs())))


def test_random_search_trains_every_trial_to_its_end(table: Table):
    assert len(random_search(table, 0).best) == TRIALS * EPOCHS


@pytest.mark.parametrize(("name", "search"), searches())
def test_a_search_is_decided_by_its_seed(table: Table, name: str, search: Search):
    first, again = (search(table, 3) for _ in range(2))
    assert (first.best, first.chosen) == (again.best, again.chosen), name


def test_a_search_with_rungs_spends_less(table: Table):
    assert len(random_search(table, 0, early=True).best) < TRIALS * EPOCHS / 2


def test_a_goal_is_reached_in_the_epoch_that_scores_it():
    spent = Spent(Table(METRICS[0], np.array([[0.1, 0.5, 0.4], [0.3, 0.7, 0.9]]), {}))
    next(spent.train(1))
    list(spent.train(0))
    assert spent.best == [0.3, 0.3, 0.5, 0.5]
    assert spent.chosen == (0, 1)
    assert (spent.until(0.3), spent.until(0.4), spent.until(0.6)) == (1, 3, None)


def test_all_searches_are_told_beside_random_search(table: Table):
    told = compare_searches(table, seeds=1)
    assert list(told.index) == ["random search", "Optuna: TPE, Hyperband", "Ray Tune: ASHA, OptunaSearch", "skin-tune"]
    assert told.loc["random search", "epochs"] == TRIALS * EPOCHS
    assert np.allclose(told[TESTED[0]], told["mean_best"] / 2, atol=1e-3)
    expected = told.loc["random search", "expected_epochs"]
    assert expected == math.inf or told.loc["random search", "share"] == 1


def test_a_metric_that_chance_moves_less_chooses_better_models():
    """Configs as certain as they are good: few photos of a class tell decisions apart badly, probabilities well."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [60, 8, 4])
    skills = np.linspace(0.2, 0.9, 14)
    own = np.eye(3)[labels]
    models = []
    for skill in skills:
        noise = rng.dirichlet(np.ones(3), (EPOCHS, len(labels)))
        models.append((skill * own + (1 - skill) * noise).astype(np.float32))
    people = People(models, labels, np.arange(len(labels)).astype(str))
    told = compare_metrics(people, deals=3)["single_balanced_acc"].loc[False]
    assert told["soft_macro_f1"] >= told["balanced_acc"]
