"""Which hyper-parameter mattered."""

import numpy as np
import pandas as pd
import pytest

from skin_tune.results.report.importance import FEWEST, importances, is_logarithmic


def test_the_hyper_parameter_that_decides_is_the_most_important():
    rng = np.random.default_rng(0)
    rate = 10 ** rng.uniform(-5, -2, 200)
    trials = pd.DataFrame(
        {
            "config/learning_rate": rate,
            "config/train_loss": rng.choice(["cb", "ce"], 200),
            "config/batch_size": rng.choice([32, 64, 128], 200),
            "config/amp": True,
            "config/seed": range(200),
            "val_balanced_acc": -((np.log10(rate) + 3) ** 2),
        }
    )
    shares = importances(trials, "val_balanced_acc")
    assert next(iter(shares)) == "learning_rate"
    assert set(shares) == {"learning_rate", "train_loss", "batch_size"}
    assert shares["learning_rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert importances(trials.head(FEWEST - 1), "val_balanced_acc") == {}
    assert importances(trials.assign(val_balanced_acc=0.5), "val_balanced_acc") == {}


def test_one_that_is_dead_in_some_trials_counts_by_the_others():
    rng = np.random.default_rng(0)
    loss = rng.choice(["focal", "ce"], 200)
    gamma = np.where(loss == "focal", rng.choice([0.5, 1.0, 2.0, 3.0], 200), np.nan)
    score = np.where(loss == "focal", 0.5 - 0.1 * np.abs(gamma - 2), 0.45) + rng.normal(0, 0.001, 200)
    columns = {"config/train_loss": loss, "config/gamma": gamma, "config/batch_size": rng.choice([32, 64], 200)}
    shares = importances(pd.DataFrame({**columns, "val_balanced_acc": score}), "val_balanced_acc")
    assert shares["gamma"] > 10 * shares["batch_size"]


def test_a_scale_is_logarithmic_where_the_values_were_drawn_so():
    rng = np.random.default_rng(0)
    assert is_logarithmic(pd.Series(10 ** rng.uniform(-5, -2, 100)))
    assert not is_logarithmic(pd.Series(rng.uniform(0.001, 0.6, 100)))
    assert not is_logarithmic(pd.Series([0.0, 0.1, 10.0]))
    assert not is_logarithmic(pd.Series([2.0, 2.0]))
