"""Confident learning (Northcutt, Jiang and Chuang 2021): which given labels models that never saw them contradict.

A class counts as likely where its probability reaches the mean of that probability over the images labelled so: its own
threshold, as models are less sure of rare classes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class LabelQuality(NamedTuple):
    """What probabilities [N, K] say of labels [N]."""

    quality: Floats
    """[N] in [0, 1]: 1/2 plus half the margin of the given class over the likeliest other, over thresholds."""
    suggested: Labels
    """[N] the likeliest of the classes that reach their thresholds; the given one where none does."""


def label_quality(labels: Labels, probabilities: Floats) -> LabelQuality:
    """Judge labels [N] in [0, K) by out-of-sample probabilities [N, K], rows of which sum to 1.

    A class that no label has is never suggested. Raises ValueError where fewer than two classes have labels.
    """
    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError("labels of one class cannot be judged")
    place = np.searchsorted(present, labels)
    likely = probabilities[:, present]
    thresholds = np.array([likely[place == k, k].mean() for k in range(len(present))])
    reached = np.where(likely >= thresholds, likely, -1.0)
    suggested = np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), place)
    shifted = likely - thresholds + thresholds.max()
    shifted /= shifted.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    given = shifted[rows, place]
    shifted[rows, place] = -1.0
    return LabelQuality(0.5 + (given - shifted.max(axis=1)) / 2, present[suggested])
