import numpy as np
import numpy.typing as npt
import pytest
from cleanlab.count import compute_confident_joint

from skin_tune.results.statistics.label_quality import suggested_labels, with_shares_of


def drawn(classes: int, tail: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Labels of 400 images and the probabilities they were drawn by; the first class is `tail` times as likely."""
    rng = np.random.default_rng(classes)
    probabilities = rng.dirichlet(0.7 * np.geomspace(tail, 1.0, classes), 400)
    labels = np.array([rng.choice(classes, p=row) for row in probabilities])
    labels[:classes] = range(classes)
    return labels, probabilities


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("tail", [1.0, 6.0], ids=["balanced", "long tail"])
def test_cleanlab_suggests_the_same(classes: int, tail: float):
    labels, probabilities = drawn(classes, tail)
    found = suggested_labels(labels, probabilities)
    _, contradicted = compute_confident_joint(
        labels, probabilities, calibrate=False, return_indices_of_off_diagonals=True
    )
    # Where several classes reach their thresholds it takes the likeliest of all, even if that one does not; the paper's
    # formula takes the likeliest of those that do, as we do.
    reached = probabilities >= [probabilities[labels == k, k].mean() for k in range(classes)]
    same = reached[np.arange(len(labels)), probabilities.argmax(axis=1)] | (reached.sum(axis=1) < 2)
    assert same.mean() > 0.5
    assert set(np.flatnonzero((found != labels) & same)) == set(np.flatnonzero(same)) & set(contradicted)
    assert reached[found != labels, found[found != labels]].all()


def test_a_class_without_labels_is_never_suggested():
    probabilities = np.array([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.6, 0.1, 0.3]])
    labels = np.array([0, 0, 2, 0])
    assert suggested_labels(labels, probabilities).tolist() == [0, 0, 2, 0]
    assert (with_shares_of(labels, probabilities)[:, 1] == 0).all()


def test_models_of_evened_out_classes_say_what_others_do():
    """Division by the shares, as balanced draws do to a model, is undone."""
    labels, probabilities = drawn(3, 6.0)
    shares = np.bincount(labels) / len(labels)
    said = with_shares_of(labels, probabilities)
    np.testing.assert_allclose(said.mean(axis=0), shares, atol=1e-8)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    evened = probabilities / shares
    evened /= evened.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(with_shares_of(labels, evened), said, atol=1e-6)


def test_who_knows_nothing_says_the_shares():
    labels = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(with_shares_of(labels, np.full((4, 2), 0.5)), [[0.75, 0.25]] * 4)
