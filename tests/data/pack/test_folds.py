"""Folds share no subject, are balanced, leave the test split alone, and no training goes without a grade."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from skin_tune.data.pack.folds import NO_FOLD, Fold, deal_folds, fold_view
from skin_tune.errors import PackError
from tests.conftest import PackMaker

# Each subject: (grade, images) once per grade it has; a person's two eyes may differ.
people = st.lists(
    st.dictionaries(st.integers(0, 4), st.integers(1, 5), min_size=1, max_size=3), min_size=2, max_size=30
)
seeds = st.integers(0, 2**32 - 1)


def rows_of(subjects: list[dict[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    rows = [(g, f"s{n}") for n, grades in enumerate(subjects) for g, images in grades.items() for _ in range(images)]
    return np.array([grade for grade, _ in rows]), np.array([subject for _, subject in rows])


@settings(max_examples=80)
@given(people, st.integers(2, 6), seeds)
def test_a_subject_is_in_one_fold_and_every_grade_in_every_training(
    subjects: list[dict[int, int]], folds: int, seed: int
) -> None:
    labels, names = rows_of(subjects)
    numbers = deal_folds(labels, names, folds, seed)
    assert set(numbers.tolist()) <= {NO_FOLD, *range(folds)}
    for name in set(names.tolist()):
        assert len(set(numbers[names == name].tolist())) == 1
    for fold in range(folds):
        assert set(labels[numbers != fold].tolist()) == set(labels.tolist())


@settings(max_examples=80)
@given(people, st.integers(4, 6), seeds)
def test_who_does_not_show_a_grade_alone_is_judged(subjects: list[dict[int, int]], folds: int, seed: int) -> None:
    labels, names = rows_of(subjects)
    numbers = deal_folds(labels, names, folds, seed)
    shown = Counter(grade for grades in subjects for grade in grades)
    alone = {f"s{number}" for number, grades in enumerate(subjects) if any(shown[grade] == 1 for grade in grades)}
    assert set(names[numbers == NO_FOLD].tolist()) == alone


@settings(max_examples=50)
@given(people, st.integers(2, 6), seeds)
def test_the_order_of_the_rows_does_not_matter(subjects: list[dict[int, int]], folds: int, seed: int) -> None:
    labels, names = rows_of(subjects)
    order = list(range(len(labels)))
    random.Random(seed).shuffle(order)
    shuffled = deal_folds(labels[order], names[order], folds, seed)
    assert shuffled.tolist() == deal_folds(labels, names, folds, seed)[order].tolist()


@settings(max_examples=50)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(2, 5), seeds)
def test_folds_of_people_with_an_image_each_hold_as_many_of_every_grade(
    of_grade: list[int], folds: int, seed: int
) -> None:
    labels, names = rows_of([{grade: 1} for grade, count in enumerate(of_grade) for _ in range(folds * count)])
    numbers = deal_folds(labels, names, folds, seed)
    assert Counter(zip(labels.tolist(), numbers.tolist(), strict=True)) == {
        (grade, fold): count for grade, count in enumerate(of_grade) for fold in range(folds)
    }


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_as_balanced_as_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    subjects = [{int(g): int(rng.integers(1, 7))} for g in rng.choice(5, 150, p=(0.4, 0.3, 0.15, 0.1, 0.05))]
    labels, names = rows_of(subjects)
    theirs = np.empty_like(labels)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(labels, labels, names)):
        theirs[held_out] = number

    def unevenness(numbers: np.ndarray) -> float:
        counts = np.stack([np.bincount(labels[numbers == fold], minlength=5) for fold in range(5)])
        return float((counts.std(axis=0) / counts.mean(axis=0)).mean())

    assert unevenness(deal_folds(labels, names, 5, seed)) <= 1.2 * unevenness(theirs) + 0.02


def test_only_people_who_alone_show_a_grade_are_judged_by_nobody() -> None:
    labels, names = rows_of([{0: 2}, {0: 1}, {1: 3}, {1: 1}, {2: 2}])
    numbers = deal_folds(labels, names, 2, seed=0)
    assert set(names[numbers == NO_FOLD].tolist()) == {"s4"}


def test_the_views_of_a_pack_cover_train_and_val_once_and_leave_test_alone(make_pack: PackMaker) -> None:
    pack = make_pack()
    views = [fold_view(pack, Fold(number, 4, seed=7)) for number in range(4)]
    judged = np.concatenate([view.indices("val") for view in views])
    assert sorted(judged.tolist()) == pack.indices("train", "val").tolist()
    for view in views:
        assert view.indices("test").tolist() == pack.indices("test").tolist()
        assert view.indices("train", "val").tolist() == pack.indices("train", "val").tolist()
        assert not set(view.subjects[view.indices("train")]) & set(view.subjects[view.indices("val")])
        assert view.images is pack.images
        assert (view.class_counts("train") + view.class_counts("val")).tolist() == [32, 18, 10]
    again = fold_view(make_pack(name="elsewhere"), Fold(2, 4, seed=7))
    assert again.split.tolist() == views[2].split.tolist(), "the same wherever the pack lies"
    assert fold_view(pack, Fold(2, 4, seed=8)).split.tolist() != views[2].split.tolist()


def test_more_folds_than_people_are_refused(make_pack: PackMaker) -> None:
    pack = make_pack({"train": (2, 2), "val": (1, 1), "test": (1, 1)})
    assert len(fold_view(pack, Fold(5, 6, seed=0)).indices("val")) == 1
    with pytest.raises(PackError, match=r"--folds 7 leaves a fold without people: pack .* has 6 in train and val"):
        fold_view(pack, Fold(0, 7, seed=0))
    alone = make_pack({"train": (3, 1), "val": (2, 0), "test": (1, 1)}, name="alone")
    with pytest.raises(PackError, match="has 5 in train and val to deal out, those not counted who alone show a class"):
        fold_view(alone, Fold(0, 6, seed=0))
