"""Losses that move the border between frequent and rare classes by a term in the logits."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from skin_tune.config import TrialConfig
from skin_tune.model.losses import Counts, GradeLoss, class_balanced_weights
from skin_tune.model.prior import Floats, normalised

MAX_MARGIN = 0.5
"""Margin of the rarest class (Cao et al. 2019, section 4)."""


class LogitAdjustment(GradeLoss):
    """Cross-entropy over logits + tau * log prior, the prior being that of the stream of images drawn.

    Menon et al. 2021, "Long-Tail Learning via Logit Adjustment", eq. 10; `tau` 1 is the balanced softmax of Ren et al.
    2020, "Balanced Meta-Softmax for Long-Tailed Visual Recognition", eq. 4. The network's own logits are then those of
    evenly frequent classes. `draws` [K] are the images per class and epoch; over a balanced stream it is plain
    cross-entropy, so that oversampling and adjustment never correct the same thing twice. A class that is never drawn
    is taken for the most frequent one.
    """

    shift: Tensor
    """Added to the logits: float32 [K], 0 for the most frequent class, below 0 for the others."""

    def __init__(self, draws: Counts, tau: float):
        super().__init__()
        stream = np.asarray(draws, dtype=np.float64)
        # A share of the largest count: exactly 0 for all where the stream is balanced.
        self._log_shift: Floats = tau * np.log(np.where(stream > 0, stream, stream.max()) / stream.max())
        self.register_buffer("shift", torch.tensor(self._log_shift, dtype=torch.float32), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float() + self.shift, labels, reduction="none")

    def prior(self, draws: Counts) -> Floats:
        """What is left of the prior of `draws` [K]: prior^(1 - tau), normalised, where they are the stream's own."""
        with np.errstate(divide="ignore"):
            logs = np.log(np.asarray(draws, dtype=np.float64)) - self._log_shift
        return normalised(np.exp(logs - logs.max()))


class Ldam(GradeLoss):
    """Cross-entropy whose true class must win by a margin, larger for rarer classes; times class weights.

    Cao et al. 2019, "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", eq. 13: class j has the
    margin C / n_j^(1/4), `counts` n [K] being the original training images. Over plain logits, as in the equation: the
    paper's experiments scale cosines by 30, which trained no better and whose softmax is no probability. The prior is
    that of the weighted stream; what margins of at most 0.5 move besides has no closed form, and is not in it.
    """

    margins: Tensor
    """float32 [K]"""

    def __init__(self, counts: Counts, weight: Tensor | None = None, reweight_after: int = 0):
        super().__init__(weight, reweight_after)
        rarity = np.asarray(counts, dtype=np.float64) ** -0.25
        margins = MAX_MARGIN * rarity / rarity.max()
        self.register_buffer("margins", torch.tensor(margins, dtype=torch.float32), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        behind = logits.float() - self.margins * F.one_hot(labels, len(self.margins))
        return self.weighted(F.cross_entropy(behind, labels, reduction="none"), labels)


def logit_adjustment(config: TrialConfig, counts: Counts, draws: Counts) -> GradeLoss:
    """Logit adjustment by the prior of `draws` [K] and `config.tau`."""
    return LogitAdjustment(draws, config.tau)


def ldam(config: TrialConfig, counts: Counts, draws: Counts) -> GradeLoss:
    """LDAM with margins and class-balanced weights of `counts` [K]; the weights by `config.beta`, after some epochs.

    Raises ConfigError for a class without images.
    """
    weight = class_balanced_weights(counts, config.beta)
    return Ldam(counts, weight, config.reweight_after)
