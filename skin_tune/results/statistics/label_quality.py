"""Confident learning (Northcutt, Jiang and Chuang 2021): which given labels models that never saw them contradict."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

_ROUNDS, _CLOSE = 1000, 1e-9


def with_shares_of(labels: Labels, probabilities: Floats) -> Floats:
    """`probabilities` [N, K] for a population with the class shares of labels [N].

    Models that were trained on evened-out classes take rare ones for likely. Odds are multiplied by a factor for each
    class (Saerens, Latinne and Decaestecker 2002), with factors such that the mean probability of a class is its share.
    """
    shares = np.bincount(labels, minlength=probabilities.shape[1]) / len(labels)
    found = np.where(shares > 0, probabilities, 0.0)
    found /= found.sum(axis=1, keepdims=True)
    for _ in range(_ROUNDS):
        means = found.mean(axis=0)
        factors = np.divide(shares, means, out=np.ones_like(shares), where=means > 0)
        found = found * factors
        found /= found.sum(axis=1, keepdims=True)
        if np.abs(factors - 1).max() < _CLOSE:
            break
    return found


def suggested_labels(labels: Labels, probabilities: Floats) -> Labels:
    """The likeliest of the classes that are likely for each image [N]; the given one where none is.

    A class is likely where its probability [N, K] reaches its mean over the images labelled so. One that no label has
    is never suggested.
    """
    present = np.unique(labels)
    thresholds = np.full(probabilities.shape[1], np.inf)
    thresholds[present] = [probabilities[labels == label, label].mean() for label in present]
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    return np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), labels)
