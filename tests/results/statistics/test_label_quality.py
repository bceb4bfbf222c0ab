import numpy as np
import pytest
from cleanlab.count import compute_confident_joint
from cleanlab.rank import get_label_quality_scores

from skin_tune.results.statistics.label_quality import label_quality


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("tail", [1.0, 6.0], ids=["balanced", "long tail"])
def test_cleanlab_says_the_same(classes: int, tail: float):
    rng = np.random.default_rng(classes)
    concentration = 0.7 * np.geomspace(tail, 1.0, classes)
    probabilities = rng.dirichlet(concentration, 400)
    labels = np.array([rng.choice(classes, p=row) for row in probabilities])
    labels[:classes] = range(classes)
    found = label_quality(labels, probabilities)
    scores = get_label_quality_scores(labels, probabilities, method="normalized_margin", adjust_pred_probs=True)
    np.testing.assert_allclose(found.quality, scores, atol=1e-12)
    _, contradicted = compute_confident_joint(
        labels, probabilities, calibrate=False, return_indices_of_off_diagonals=True
    )
    # Where several classes reach their thresholds it takes the likeliest of all, even if that one does not; the paper's
    # formula takes the likeliest of those that do, as we do.
    thresholds = np.array([probabilities[labels == k, k].mean() for k in range(classes)])
    reached = probabilities >= thresholds
    same = reached[np.arange(len(labels)), probabilities.argmax(axis=1)] | (reached.sum(axis=1) < 2)
    assert same.mean() > 0.5
    ours, theirs = np.flatnonzero((found.suggested != labels) & same), set(np.flatnonzero(same)) & set(contradicted)
    assert set(ours) == theirs
    assert reached[found.suggested != labels, found.suggested[found.suggested != labels]].all()


def test_a_class_without_labels_is_never_suggested():
    probabilities = np.array([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.6, 0.1, 0.3]])
    found = label_quality(np.array([0, 0, 2, 0]), probabilities)
    assert found.suggested.tolist() == [0, 0, 2, 0]
    # The others' thresholds are 4/15 and 7/10; over these the first photo has 8/15 and 1/10, shares of 16/19 and 3/19.
    assert found.quality == pytest.approx([16 / 19, 16 / 19, 0.525, 0.775])


def test_labels_of_one_class_cannot_be_judged():
    with pytest.raises(ValueError, match="one class"):
        label_quality(np.zeros(3, np.int64), np.full((3, 2), 0.5))
