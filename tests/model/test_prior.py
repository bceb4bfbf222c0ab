"""The prior of a trained classifier follows from draws, weights and targets; the adjusted decision takes it out."""

import numpy as np
import pytest
import torch

from skin_tune.config import TrialConfig
from skin_tune.model.losses import build_loss
from skin_tune.model.prior import adjusted, log_shift, normalised

COUNTS = [80, 16, 4]
EVEN = [1 / 3, 1 / 3, 1 / 3]


@pytest.mark.parametrize(
    ("changes", "draws", "prior"),
    [
        ({"train_loss": "ce"}, COUNTS, [0.8, 0.16, 0.04]),
        ({"train_loss": "focal"}, COUNTS, [0.8, 0.16, 0.04]),
        ({"train_loss": "ce"}, [80, 80, 80], EVEN),
        ({"train_loss": "cb", "beta": 0}, COUNTS, [0.8, 0.16, 0.04]),
        (
            {"train_loss": "cb", "beta": 0.5},
            [1, 2, 2],
            normalised([1, 2 / 1.5, 2 / 1.5]),
        ),  # weights 1 / (1 + 1/2 + ...)
        ({"train_loss": "label_smoothing", "smoothing": 0.3}, COUNTS, [0.66, 0.212, 0.128]),
    ],
)
def test_the_prior_is_the_mean_target_of_the_weighted_stream(
    changes: dict[str, float], draws: list[int], prior: list[float]
):
    counts = [1, 2, 2] if changes.get("beta") == 0.5 else COUNTS
    loss = build_loss(TrialConfig.from_mapping(changes), counts, draws)
    np.testing.assert_allclose(loss.prior(draws), prior, rtol=1e-6)


def test_weights_of_inverse_counts_leave_an_even_prior_and_a_balanced_stream_then_a_turned_one():
    loss = build_loss(TrialConfig(train_loss="cb", beta=1 - 1e-9), COUNTS, COUNTS)
    np.testing.assert_allclose(loss.prior(COUNTS), EVEN, rtol=1e-4)
    np.testing.assert_allclose(loss.prior([80, 80, 80]), normalised([1 / 80, 1 / 16, 1 / 4]), rtol=1e-4)


def test_the_adjusted_decision_divides_by_the_prior():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.98, 0.01, 0.01]], np.float32)
    prior = np.array([0.8, 0.16, 0.04])
    odds = probabilities / prior
    np.testing.assert_allclose(adjusted(probabilities, prior), odds / odds.sum(axis=1, keepdims=True), rtol=1e-5)
    assert adjusted(probabilities, prior).argmax(axis=1).tolist() == [2, 0]


def test_an_even_prior_changes_nothing():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), size=20).astype(np.float32)
    assert (log_shift(EVEN) == 0).all()
    np.testing.assert_allclose(adjusted(probabilities, EVEN), probabilities, rtol=1e-6)


def test_probabilities_of_exactly_nothing_stay_so_and_a_class_that_was_never_drawn_gains_nothing():
    found = adjusted(np.array([[1.0, 0.0, 0.0]], np.float32), [0.5, 0.5, 0.0])
    assert found.tolist() == [[1.0, 0.0, 0.0]]
    assert log_shift([0.7, 0.3, 0.0]).argmax() == 0
    assert log_shift([0.7, 0.3, 0.0])[2] == log_shift([0.7, 0.3, 0.0])[0]


def test_a_classifier_of_the_stream_becomes_that_of_even_classes():
    """Bayes' rule in closed form: two Gaussians of unit variance at -1 and 1 have their even border at 0."""
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)
    likelihood = torch.stack([torch.exp(-((x + 1) ** 2) / 2), torch.exp(-((x - 1) ** 2) / 2)], dim=1)
    prior = torch.tensor([0.95, 0.05])
    joint = likelihood * prior
    posterior = (joint / joint.sum(dim=1, keepdim=True)).numpy()
    assert (posterior.argmax(axis=1) != (x > 0).numpy()).any()
    decided = adjusted(posterior, prior.numpy()).argmax(axis=1)
    off = np.abs(x.numpy()) > 1e-9
    assert (decided[off] == (x > 0).numpy()[off]).all()
