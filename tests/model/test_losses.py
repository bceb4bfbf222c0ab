import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skin_tune.config import TrialConfig
from skin_tune.errors import ConfigError
from skin_tune.model.losses import FocalLoss, build_loss, class_balanced_weights

FOREHEAD = [572, 5083, 3393, 2340, 1092, 819, 637]


def logits_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(40, 7) * 3, torch.randint(0, 7, (40,))


@pytest.mark.parametrize("beta", [0.9, 0.99, 0.999, 0.9999])
def test_weights_are_equation_9_of_cui_et_al_normalised_to_sum_to_the_classes(beta: float):
    raw = [(1 - beta) / (1 - beta**count) for count in FOREHEAD]
    expected = [value * len(raw) / sum(raw) for value in raw]
    weights = class_balanced_weights(FOREHEAD, beta)
    assert weights.tolist() == pytest.approx(expected, rel=1e-6)
    assert weights.sum().item() == pytest.approx(7)


def test_rarer_classes_weigh_more():
    weights = class_balanced_weights([10, 100, 1000], 0.999).tolist()
    assert weights[0] > weights[1] > weights[2]


def test_beta_0_weighs_all_alike_and_beta_near_1_by_inverse_count():
    assert class_balanced_weights(FOREHEAD, 0.0).tolist() == [1.0] * 7
    inverse = 1 / np.array(FOREHEAD)
    expected = inverse * 7 / inverse.sum()
    assert class_balanced_weights(FOREHEAD, 1 - 1e-12).numpy() == pytest.approx(expected, rel=1e-3)


def test_equal_counts_give_weights_of_one():
    assert class_balanced_weights([50, 50, 50], 0.999).tolist() == pytest.approx([1, 1, 1])


def test_a_class_without_images_has_no_weight():
    with pytest.raises(ConfigError, match="every class"):
        class_balanced_weights([3, 0, 2], 0.99)


def test_gamma_0_is_cross_entropy():
    logits, labels = logits_and_labels()
    torch.testing.assert_close(FocalLoss(0.0)(logits, labels), F.cross_entropy(logits, labels, reduction="none"))


def test_class_balanced_loss_with_gamma_0_is_weighted_cross_entropy():
    logits, labels = logits_and_labels()
    weights = class_balanced_weights(FOREHEAD, 0.999)
    loss = build_loss(TrialConfig(train_loss="cb", gamma=0, beta=0.999), FOREHEAD)(logits, labels)
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels, weight=weights, reduction="none"))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 3.0])
def test_focal_loss_of_a_known_probability(gamma: float):
    # Two classes with logits 0 and log 3: the true class has probability 3/4.
    logits, labels = torch.tensor([[0.0, math.log(3)]]), torch.tensor([1])
    assert FocalLoss(gamma)(logits, labels).item() == pytest.approx(-(0.25**gamma) * math.log(0.75), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_gradients_stay_finite_where_the_answer_is_certain(gamma: float):
    logits = torch.tensor([[0.0, 200.0], [200.0, 0.0]], requires_grad=True)
    FocalLoss(gamma)(logits, torch.tensor([1, 1])).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_label_smoothing_mixes_in_the_mean_over_classes():
    logits, labels = logits_and_labels()
    log_p = logits.log_softmax(1)
    expected = -(0.9 * log_p.gather(1, labels[:, None]).squeeze(1) + 0.1 * log_p.mean(1))
    loss = build_loss(TrialConfig(train_loss="label_smoothing", smoothing=0.1), FOREHEAD)
    torch.testing.assert_close(loss(logits, labels), expected)


def test_plain_cross_entropy_ignores_the_other_losses_settings():
    logits, labels = logits_and_labels()
    loss = build_loss(TrialConfig(train_loss="ce", gamma=3, beta=0.99, smoothing=0.5), FOREHEAD)
    torch.testing.assert_close(loss(logits, labels), F.cross_entropy(logits, labels, reduction="none"))
