"""Targets softened by the distance between grades, by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skin_tune.config import TrialConfig
from skin_tune.model.losses import build_loss
from skin_tune.model.ordinal_losses import sord_targets


def test_targets_are_the_softmax_of_minus_the_squared_distance():
    # At width 1 / sqrt(2) the distance of Diaz & Marathe is not scaled: e^0, e^-1, e^-4.
    first, middle, _ = sord_targets(3, 1 / math.sqrt(2))
    ends = 1 + math.exp(-1) + math.exp(-4)
    assert first.tolist() == pytest.approx([1 / ends, math.exp(-1) / ends, math.exp(-4) / ends])
    sum_of_middle = 1 + 2 * math.exp(-1)
    assert middle.tolist() == pytest.approx(
        [math.exp(-1) / sum_of_middle, 1 / sum_of_middle, math.exp(-1) / sum_of_middle]
    )


@pytest.mark.parametrize("width", [0.01, 1e-200])
def test_a_small_width_is_one_hot_and_a_large_one_even(width: float):
    np.testing.assert_array_equal(sord_targets(5, width), np.eye(5))
    np.testing.assert_allclose(sord_targets(5, 1e6), np.full((5, 5), 0.2))


def test_the_loss_is_cross_entropy_against_them_and_least_where_they_are_met():
    torch.manual_seed(0)
    logits, labels = torch.randn(20, 4) * 3, torch.randint(0, 4, (20,))
    loss = build_loss(TrialConfig(train_loss="sord", sord_width=0.8), [10, 10, 10, 10])
    targets = torch.tensor(sord_targets(4, 0.8)).float()
    torch.testing.assert_close(loss(logits, labels), -(targets[labels] * logits.log_softmax(1)).sum(1))
    met = targets.log().requires_grad_()
    loss(met, torch.arange(4)).sum().backward()
    assert met.grad is not None
    torch.testing.assert_close(met.grad, torch.zeros(4, 4), atol=1e-6, rtol=0)


def test_a_narrow_target_is_cross_entropy():
    torch.manual_seed(0)
    logits, labels = torch.randn(20, 4) * 3, torch.randint(0, 4, (20,))
    loss = build_loss(TrialConfig(train_loss="sord", sord_width=0.01), [10, 10, 10, 10])
    torch.testing.assert_close(loss(logits, labels), F.cross_entropy(logits, labels, reduction="none"))


def test_the_prior_is_the_mean_target_of_the_images_drawn():
    loss = build_loss(TrialConfig(train_loss="sord", sord_width=1 / math.sqrt(2)), [3, 1])
    off = math.exp(-1) / (1 + math.exp(-1))
    assert loss.prior([3, 1]).tolist() == pytest.approx([0.75 * (1 - off) + 0.25 * off, 0.75 * off + 0.25 * (1 - off)])
