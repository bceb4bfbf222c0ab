"""The prior that a classifier is trained under, and the decision without it."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def normalised(shares: npt.ArrayLike) -> Floats:
    """`shares` [K], >= 0, scaled to sum to 1."""
    values = np.asarray(shares, dtype=np.float64)
    total: Floats = values / values.sum()
    return total


def log_shift(prior: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Subtrahend of the logits [K] that makes the decision one of evenly frequent classes: log prior, of mean zero.

    After softmax the adjusted probabilities are those of a population in which every class of `prior` [K] is as
    frequent; the largest of them minimises the balanced error. Menon et al. 2021, "Long-Tail Learning via Logit
    Adjustment", eq. 9 with tau 1. A class that was never drawn (prior 0) has no say in training: it is shifted as the
    most frequent one, so that it gains nothing.
    """
    shares = np.asarray(prior, dtype=np.float64)
    logs = np.log(np.where(shares > 0, shares, shares.max()))
    return (logs - logs.mean()).astype(np.float32)


def adjusted(probabilities: npt.NDArray[np.floating], prior: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Probabilities [N, K] with `prior` [K] taken out, see `log_shift`."""
    with np.errstate(divide="ignore"):
        logits = np.log(np.asarray(probabilities, dtype=np.float64)) - log_shift(prior)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
