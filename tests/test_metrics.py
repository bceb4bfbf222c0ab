import math

import numpy as np
import pytest
from sklearn import metrics as reference

from skin_tune.metrics import METRICS, Tallies, scores_of, tallies_of


def photos(seed: int, images: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    return labels, np.clip(labels + rng.integers(-2, 3, images), 0, classes - 1)


def matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    return reference.confusion_matrix(labels, predicted, labels=range(classes)).astype(np.float64)


def expected(labels: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, float]:
    return {
        "acc": reference.accuracy_score(labels, predicted),
        "balanced_acc": reference.recall_score(labels, predicted, labels=sorted(set(labels)), average="macro"),
        "macro_f1": reference.f1_score(labels, predicted, average="macro"),
        "mae": reference.mean_absolute_error(labels, predicted),
        "within_one": float(np.mean(np.abs(labels - predicted) <= 1)),
        "qwk": reference.cohen_kappa_score(labels, predicted, weights="quadratic", labels=range(classes)),
    }


def test_many_matrices_at_once_equal_scikit_learn_one_by_one():
    cases = [photos(seed, images, 6) for seed, images in enumerate([3, 5, 8, 20, 200, 2000])]
    stacked = np.stack([matrix(*case, 6) for case in cases]).reshape(2, 3, 6, 6)
    scores = scores_of(tallies_of(stacked))
    assert set(scores) == set(METRICS)
    for index, case in enumerate(cases):
        for name, value in expected(*case, 6).items():
            assert scores[name].reshape(-1)[index] == pytest.approx(value), (name, index)


def test_tallies_add_up_as_confusion_matrices_do():
    one, other = matrix(*photos(0, 40, 5), 5), matrix(*photos(1, 70, 5), 5)
    first, second, both = (tallies_of(counts) for counts in (one, other, one + other))
    for name in ("true", "predicted", "hits", "distance_sums"):
        assert np.array_equal(getattr(first, name) + getattr(second, name), getattr(both, name))


def test_true_counts_are_shared_by_all_who_predict_the_same_images():
    labels, predicted = photos(2, 60, 4)
    two = tallies_of(np.stack([matrix(labels, predicted, 4), matrix(labels, labels, 4)]))
    shared = scores_of(Tallies(two.true[:1], two.predicted, two.hits, two.distance_sums))
    assert shared["qwk"].tolist() == pytest.approx([expected(labels, predicted, 4)["qwk"], 1])
    assert shared["balanced_acc"][1] == 1


def test_what_is_not_defined_is_nan_and_warns_of_nothing(recwarn: pytest.WarningsRecorder):
    nothing, alike = np.zeros((3, 3)), np.diag([0.0, 5.0, 0.0])
    scores = scores_of(tallies_of(np.stack([nothing, alike])))
    assert all(math.isnan(scores[name][0]) for name in METRICS)
    assert scores["acc"][1] == scores["balanced_acc"][1] == scores["macro_f1"][1] == 1
    assert math.isnan(scores["qwk"][1])
    assert not recwarn
