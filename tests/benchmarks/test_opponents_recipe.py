"""The hand-written loop's losses, schedule and decision, against closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks.opponents.recipe import Recipe, decide, loss_of, loss_weights, rate_factor, trained_prior

COUNTS = np.array([1, 2])


@pytest.mark.parametrize(
    ("recipe", "prior"),
    [
        (Recipe(), (1 / 3, 2 / 3)),
        (Recipe(oversample=True), (1 / 2, 1 / 2)),
        # Effective numbers 1 and 1 + beta: weights as 1 to 2/3.
        (Recipe(loss="cb", beta=0.5), (3 / 7, 4 / 7)),
        (Recipe(loss="cb", beta=0.5, oversample=True), (3 / 5, 2 / 5)),
    ],
)
def test_the_trained_prior_is_draws_times_weights(recipe: Recipe, prior: tuple[float, float]):
    assert trained_prior(recipe, COUNTS) == pytest.approx(prior)


@pytest.mark.parametrize("loss", ["ce", "cb"])
@pytest.mark.parametrize("oversample", [False, True])
def test_the_adjusted_decision_is_the_likeliest_class(loss: str, oversample: bool):
    """Bayes: a posterior is the likelihood times the prior, so that only the likelihood is left without it."""
    rng = np.random.default_rng(0)
    likelihood = rng.random((200, 4))
    prior = trained_prior(Recipe(loss=loss, oversample=oversample), np.array([500, 60, 20, 3]))
    posterior = likelihood * prior / (likelihood * prior).sum(axis=1, keepdims=True)
    logits = np.log(posterior) + rng.normal(size=(200, 1))
    assert (decide(logits, prior) == likelihood.argmax(axis=1)).all()
    assert (decide(logits, None) == posterior.argmax(axis=1)).all()


def test_losses_without_a_focal_term_are_weighted_cross_entropy():
    logits, labels = torch.randn(16, 2, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 2
    recipe = Recipe(loss="cb", gamma=0.0, beta=0.5)
    weights = torch.tensor(loss_weights(recipe, COUNTS))
    assert weights.tolist() == pytest.approx([6 / 5, 4 / 5])
    expected = F.cross_entropy(logits, labels, weights.float(), reduction="sum") / 16
    assert loss_of(recipe, logits, labels, weights.float()).item() == pytest.approx(expected.item())


def test_a_focal_loss_counts_what_is_well_classified_less():
    logits = torch.log(torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    expected = -(0.1**2 * np.log(0.9) + 0.8**2 * np.log(0.2)) / 2
    loss = loss_of(Recipe(loss="focal", gamma=2.0), logits, torch.tensor([0, 0]), torch.ones(2))
    assert loss.item() == pytest.approx(expected)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_zero():
    recipe = Recipe(epochs=5, warmup_epochs=1)
    rates = [rate_factor(recipe, epochs) for epochs in (0, 0.5, 1, 3, 5)]
    assert rates == pytest.approx([0, 0.5, 1, 0.5, 0])
