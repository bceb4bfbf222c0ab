import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from skin_tune.metrics import (
    DECISION_METRICS,
    METRICS,
    SELECTION_METRICS,
    WORST_GROUP,
    Tallies,
    confusion_matrix,
    decision_metric,
    grouped_by,
    metrics_of,
    scores_of,
    soft_macro_f1,
    tallies_of,
)
from skin_tune.storage.photo_columns import ABOUT


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


NAMES = [str(grade) for grade in range(7)]


def test_confusion_matrix_equals_scikit_learns():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 7, 300), rng.integers(0, 7, 300)
    ours = confusion_matrix(labels, predicted, 7)
    assert np.array_equal(ours, reference.confusion_matrix(labels, predicted, labels=range(7)))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=80))
def test_metrics_equal_scikit_learns_whatever_classes_are_absent(pairs: list[tuple[int, int]]):
    labels, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    ours = metrics_of(confusion_matrix(labels, predicted, 7), NAMES, ordinal=True)
    present = sorted(set(labels))
    assert ours["acc"] == pytest.approx(reference.accuracy_score(labels, predicted))
    assert ours["balanced_acc"] == pytest.approx(
        reference.recall_score(labels, predicted, labels=present, average="macro", zero_division=0)
    )
    assert ours["macro_f1"] == pytest.approx(reference.f1_score(labels, predicted, average="macro", zero_division=0))
    assert ours["mae"] == pytest.approx(reference.mean_absolute_error(labels, predicted))
    assert ours["within_one"] == pytest.approx(np.mean(np.abs(labels - predicted) <= 1))
    if len(set(labels) | set(predicted)) > 1:
        kappa = reference.cohen_kappa_score(labels, predicted, weights="quadratic", labels=range(7))
        assert ours["qwk"] == pytest.approx(kappa)
    else:
        assert math.isnan(ours["qwk"])
    for grade in range(7):
        recall = ours[f"recall_{grade}"]
        if grade in present:
            assert recall == pytest.approx(np.mean(predicted[labels == grade] == grade))
        else:
            assert math.isnan(recall)


def test_predicting_the_commonest_grade_is_accurate_and_worthless():
    metrics = metrics_of(np.array([[90, 0], [10, 0]]), ["0", "1"], ordinal=True)
    assert metrics["acc"] == pytest.approx(0.9)
    assert metrics["balanced_acc"] == pytest.approx(0.5)


def test_ordinal_metrics_count_in_steps_of_class_order_and_nominal_classes_have_none():
    halves = ["1.0", "1.5", "2.0", "2.5", "3.0"]
    labels, predicted = [0, 1, 2, 3, 4], [1, 0, 1, 2, 3]  # each half a grade off
    confusion = confusion_matrix(labels, predicted, 5)
    ordinal = metrics_of(confusion, halves, ordinal=True)
    assert ordinal["mae"] == ordinal["within_one"] == 1
    assert ordinal["qwk"] == pytest.approx(reference.cohen_kappa_score(labels, predicted, weights="quadratic"))
    nominal = metrics_of(confusion, halves, ordinal=False)
    assert nominal == {name: value for name, value in ordinal.items() if name not in ("mae", "within_one", "qwk")}


def test_soft_macro_f1_of_certain_models_is_macro_f1():
    labels, predicted = photos(0, 200, 5)
    certain = np.eye(5)[predicted]
    assert soft_macro_f1(certain, labels) == pytest.approx(reference.f1_score(labels, predicted, average="macro"))


def test_soft_macro_f1_counts_what_decisions_drawn_from_the_probabilities_would():
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5]])
    hits, predicted, true = np.array([1.4, 0.5]), np.array([1.9, 1.1]), np.array([2, 1])
    assert soft_macro_f1(probabilities, np.array([0, 0, 1])) == pytest.approx(np.mean(2 * hits / (true + predicted)))


def test_soft_macro_f1_leaves_out_a_class_without_photos():
    probabilities = np.array([[0.7, 0.3, 0.0], [0.1, 0.8, 0.1]])
    assert soft_macro_f1(probabilities, np.array([0, 1])) == pytest.approx(np.mean([1.4 / 1.8, 1.6 / 2.1]))


def test_trials_chosen_softly_are_told_of_by_their_decisions():
    told = [decision_metric(metric) for metric in SELECTION_METRICS]
    assert told == [*DECISION_METRICS, "val_macro_f1_adjusted", *["val_balanced_acc_adjusted"] * len(WORST_GROUP)]


def test_groups_are_told_apart_by_every_column_about_photos():
    assert tuple(WORST_GROUP) == tuple(ABOUT)
    assert [grouped_by(metric) for metric in SELECTION_METRICS] == [None] * 5 + list(ABOUT)
