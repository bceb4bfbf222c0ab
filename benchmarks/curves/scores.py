"""What a trial scores after each of its epochs."""

import numpy as np
import numpy.typing as npt

from skin_tune.metrics import confusion_matrix, scores_of, soft_macro_f1, tallies_of

Floats = npt.NDArray[np.float64]


def scores_by_epoch(probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> dict[str, Floats]:
    """``balanced_acc macro_f1 soft_macro_f1`` [epochs] of probabilities [epochs, N, K] and labels [N]."""
    classes = probabilities.shape[-1]
    decided = [confusion_matrix(labels, each.argmax(axis=1), classes) for each in probabilities]
    scores = scores_of(tallies_of(np.array(decided, np.float64)))
    soft = np.array([soft_macro_f1(each, labels) for each in probabilities])
    return {"balanced_acc": scores["balanced_acc"], "macro_f1": scores["macro_f1"], "soft_macro_f1": soft}
