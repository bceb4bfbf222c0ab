"""Logit adjustment and LDAM against their papers' formulas, by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skin_tune.config import TrialConfig
from skin_tune.errors import ConfigError
from skin_tune.model.losses import build_loss, class_balanced_weights
from skin_tune.model.prior import adjusted, normalised

COUNTS = [80, 16, 4]


def logits_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(30, 3) * 3, torch.randint(0, 3, (30,))


def test_tau_1_is_the_balanced_softmax_of_ren_et_al():
    # Equation 4: -log(n_y exp(z_y) / sum_j n_j exp(z_j)).
    logits, labels = torch.tensor([[0.0, math.log(2), math.log(5)]]), torch.tensor([2])
    loss = build_loss(TrialConfig(train_loss="logit_adjustment"), COUNTS)(logits, labels)
    assert loss.item() == pytest.approx(-math.log(4 * 5 / (80 + 16 * 2 + 4 * 5)))


def test_tau_scales_the_log_prior_and_0_is_cross_entropy():
    logits, labels = logits_and_labels()
    half = build_loss(TrialConfig(train_loss="logit_adjustment", tau=0.5), COUNTS)(logits, labels)
    log_prior = torch.tensor(COUNTS).double().div(100).log().float()
    torch.testing.assert_close(half, F.cross_entropy(logits + 0.5 * log_prior, labels, reduction="none"))
    none = build_loss(TrialConfig(train_loss="logit_adjustment", tau=0), COUNTS)(logits, labels)
    assert torch.equal(none, F.cross_entropy(logits, labels, reduction="none"))


def test_over_a_balanced_stream_nothing_is_left_to_adjust():
    logits, labels = logits_and_labels()
    loss = build_loss(TrialConfig(train_loss="logit_adjustment"), COUNTS, draws=[80, 80, 80])
    assert torch.equal(loss(logits, labels), F.cross_entropy(logits, labels, reduction="none"))
    np.testing.assert_allclose(loss.prior([80, 80, 80]), [1 / 3] * 3)


@pytest.mark.parametrize(("tau", "power"), [(0, 1), (0.5, 0.5), (1, 0), (1.5, -0.5)])
def test_the_prior_left_is_that_of_the_stream_to_the_power_of_1_minus_tau(tau: float, power: float):
    loss = build_loss(TrialConfig(train_loss="logit_adjustment", tau=tau), [1, 1, 1], draws=COUNTS)
    np.testing.assert_allclose(loss.prior(COUNTS), normalised(np.array(COUNTS) ** float(power)))


def test_adjusting_while_training_or_afterwards_is_the_same_classifier():
    # Where training gives the posterior q of the stream, the network's own logits are those of q / prior.
    stream = np.array(COUNTS) / 100
    q = np.random.default_rng(0).dirichlet(np.ones(3), size=20)
    loss = build_loss(TrialConfig(train_loss="logit_adjustment", tau=0.7), COUNTS)
    network_probabilities = normalised_rows(q / stream**0.7)
    np.testing.assert_allclose(
        adjusted(network_probabilities, loss.prior(COUNTS)), normalised_rows(q / stream), rtol=1e-5
    )


def normalised_rows(values: np.ndarray) -> np.ndarray:
    rows: np.ndarray = values / values.sum(axis=1, keepdims=True)
    return rows


def test_a_class_that_is_never_drawn_leaves_loss_gradient_and_prior_finite():
    logits, labels = logits_and_labels()
    logits.requires_grad_()
    labels = labels.clamp(max=1)
    loss = build_loss(TrialConfig(train_loss="logit_adjustment"), [80, 16, 0])
    loss(logits, labels).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    np.testing.assert_allclose(loss.prior([80, 16, 0]), [0.5, 0.5, 0])


def test_ldam_subtracts_a_margin_that_falls_with_the_fourth_root_of_the_count():
    # Counts 1 and 16: margins 0.5 and 0.25.
    logits = torch.tensor([[2.0, 1.0], [2.0, 1.0]])
    loss = build_loss(TrialConfig(train_loss="ldam", beta=0), [1, 16])(logits, torch.tensor([0, 1]))
    assert loss[0].item() == pytest.approx(math.log(1 + math.exp(1 - (2 - 0.5))))
    assert loss[1].item() == pytest.approx(math.log(1 + math.exp(2 - (1 - 0.25))))


def test_ldam_is_weighted_as_cb_is():
    logits, labels = logits_and_labels()
    plain = build_loss(TrialConfig(train_loss="ldam", beta=0), COUNTS)(logits, labels)
    weighted = build_loss(TrialConfig(train_loss="ldam", beta=0.99), COUNTS)(logits, labels)
    torch.testing.assert_close(weighted, plain * class_balanced_weights(COUNTS, 0.99)[labels])


def test_ldam_needs_an_image_of_every_class():
    with pytest.raises(ConfigError, match="every class"):
        build_loss(TrialConfig(train_loss="ldam"), [3, 0, 2])


@pytest.mark.parametrize("name", ["cb", "ldam"])
def test_weights_count_only_after_the_epochs_without(name: str):
    logits, labels = logits_and_labels()
    deferred = build_loss(TrialConfig(train_loss=name, beta=0.99, reweight_after=2), COUNTS)
    plain = build_loss(TrialConfig(train_loss=name, beta=0), COUNTS)
    weighted = build_loss(TrialConfig(train_loss=name, beta=0.99), COUNTS)
    for epoch, like in ((1, plain), (2, plain), (3, weighted), (2, plain)):
        deferred.begin_epoch(epoch)
        assert torch.equal(deferred(logits, labels), like(logits, labels))
        np.testing.assert_array_equal(deferred.prior(COUNTS), like.prior(COUNTS))


@pytest.mark.parametrize("name", ["logit_adjustment", "ldam"])
def test_gradients_stay_finite_where_logits_are_far_apart(name: str):
    logits = torch.tensor([[0.0, 200.0, -200.0], [200.0, 0.0, 0.0]], requires_grad=True)
    build_loss(TrialConfig(train_loss=name), COUNTS)(logits, torch.tensor([2, 1])).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
