"""What the report says of a champion's predictions is what scikit-learn counts."""

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, recall_score

from skin_tune.results import load_predictions
from skin_tune.results.report.model_performance import calibration
from skin_tune.results.report.section import sections
from tests.results.report.report_store import TRAIN_IMAGES, write_trials


def test_what_a_champion_got_right_is_what_scikit_learn_counts(tmp_path: Path):
    write_trials(tmp_path, trials=3)
    (section,) = sections(tmp_path)
    assert section.champion is not None
    assert section.validation is not None
    rows = load_predictions(tmp_path, trial=section.champion["trial_id"], split="val")
    label, predicted = rows["label"], rows["predicted"]
    assert section.validation.confusion.tolist() == confusion_matrix(label, predicted).tolist()
    recall = recall_score(label, predicted, average=None)
    assert [figure.value for figure in section.validation.recall] == pytest.approx(recall)
    for figure in section.validation.recall:
        assert math.isnan(figure.low) or figure.low <= figure.value <= figure.high
    for group in section.validation.groups["device"].groups:
        of = rows["device"] == group.name
        assert group.images == of.sum()
        assert group.scores["balanced_acc"].value == pytest.approx(balanced_accuracy_score(label[of], predicted[of]))
    assert section.train_images == list(TRAIN_IMAGES)


def test_calibration_is_that_of_guo_et_al():
    # Two bins: four answers at 0.4 of which one is right, six at 0.9 of which all are:
    # 0.4 * |0.25 - 0.4| + 0.6 * |1 - 0.9|
    found = calibration(np.array([0.4] * 4 + [0.9] * 6), np.array([True] + [False] * 3 + [True] * 6), 2)
    assert found.error == pytest.approx(0.4 * 0.15 + 0.6 * 0.1)
    assert found.accuracy.tolist() == [0.25, 1.0]
    assert found.images.tolist() == [4, 6]
    assert calibration(np.array([1.0, 0.5]), np.array([True, True]), 2).images.tolist() == [1, 1]
