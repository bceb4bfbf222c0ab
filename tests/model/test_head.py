"""The classifier of a loss whose margins are angles."""

import math

import pytest
import torch

from skin_tune.config import TrialConfig
from skin_tune.model.head import CosineClassifier, classifier
from skin_tune.model.network import build_network


def test_logits_are_thirty_times_the_cosine_whatever_the_lengths():
    head = CosineClassifier(2, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[5.0, 0.0], [1.0, 1.0]]))
    logits = head(torch.tensor([[3.0, 0.0], [0.0, 0.1]]))
    assert logits.tolist() == [pytest.approx([30, 30 / math.sqrt(2)]), pytest.approx([0, 30 / math.sqrt(2)], abs=1e-5)]


def test_features_of_nothing_give_even_classes_and_finite_gradients():
    head = CosineClassifier(2, 3)
    features = torch.zeros(1, 2, requires_grad=True)
    logits = head(features)
    logits.sum().backward()
    assert logits.tolist() == [[0, 0, 0]]
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_a_network_has_it_for_ldam_alone_and_in_the_place_of_the_other():
    networks = {loss: build_network(TrialConfig(backbone="resnet18", train_loss=loss), 3) for loss in ("ce", "ldam")}
    ce, ldam = (set(networks[loss].state_dict()) for loss in ("ce", "ldam"))
    assert ce - ldam == {"fc.1.bias"}
    assert not ldam - ce
    assert isinstance(classifier(TrialConfig(train_loss="sord"), 4, 3), torch.nn.Linear)
