"""The classifier at the end of a network, as the loss of its config wants it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skin_tune.config import TrialConfig

LOGIT_SCALE = 30.0
"""Largest logit of a CosineClassifier (Wang et al. 2018, "CosFace"; Cao et al. 2019, section 4)."""

COSINE_LOSSES = ("ldam",)
"""Losses whose margins are angles: over logits without a bound a network could grow past every margin."""


class CosineClassifier(nn.Module):
    """LOGIT_SCALE times the cosine between features [B, F] and the weight of each class: logits [B, K]."""

    def __init__(self, features: int, classes: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, features))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)  # as nn.Linear's; the length does not matter

    def forward(self, features: Tensor) -> Tensor:
        # In float32 also under autocast: at a scale of 30 bfloat16 is off by 0.06 in a logit.
        with torch.autocast(features.device.type, enabled=False):
            cosines = F.linear(F.normalize(features.float()), F.normalize(self.weight))
        return LOGIT_SCALE * cosines


def classifier(config: TrialConfig, features: int, classes: int) -> nn.Module:
    """The last layer of `config`'s network, from features [B, F] to logits [B, K], with random weights."""
    if config.train_loss in COSINE_LOSSES:
        return CosineClassifier(features, classes)
    return nn.Linear(features, classes)
