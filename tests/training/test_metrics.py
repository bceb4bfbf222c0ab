import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from skin_tune.metrics import confusion_matrix, metrics_of

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
