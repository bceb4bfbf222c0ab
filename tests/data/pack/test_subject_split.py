"""No subject is shared, every grade is everywhere it can be, and the same data give the same split."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skin_tune.data.pack.subject_split import SPLITS, parse_ratios, shared_subjects, split_by_subject
from skin_tune.errors import SourceError

# Each subject: (grade, images) once per grade it has; a person's two eyes may differ.
people = st.lists(
    st.dictionaries(st.integers(0, 6), st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=40
)
seeds = st.integers(0, 2**32 - 1)


def rows_of(subjects: list[dict[int, int]]) -> tuple[np.ndarray, list[str]]:
    rows = [(g, f"s{n}") for n, grades in enumerate(subjects) for g, images in grades.items() for _ in range(images)]
    return np.array([grade for grade, _ in rows], dtype=np.int16), [subject for _, subject in rows]


@settings(max_examples=80)
@given(people, seeds, st.sampled_from([(60, 20, 20), (80, 10, 10), (70, 30, 0), (1, 98, 1)]))
def test_no_subject_is_shared_and_every_grade_is_in_train(
    subjects: list[dict[int, int]], seed: int, ratios: tuple[int, int, int]
) -> None:
    labels, names = rows_of(subjects)
    split = split_by_subject(labels, names, ratios=ratios, seed=seed)
    assert not shared_subjects(split, names)
    assert set(labels[split == 0].tolist()) == set(labels.tolist())
    if ratios[2] == 0:
        assert 2 not in split


@settings(max_examples=50)
@given(people, seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(subjects: list[dict[int, int]], seed: int, random: object) -> None:
    labels, names = rows_of(subjects)
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    split = split_by_subject(labels, names, seed=seed)
    shuffled = split_by_subject(labels[order], [names[place] for place in order], seed=seed)
    assert shuffled.tolist() == split[order].tolist()
    assert split_by_subject(labels, names, seed=seed).tolist() == split.tolist()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=40), seeds)
def test_a_grade_of_three_single_grade_subjects_is_in_all_splits_and_one_of_a_single_subject_in_train(
    subjects: list[tuple[int, int]], seed: int
) -> None:
    labels, names = rows_of([{grade: images} for grade, images in subjects])
    split = split_by_subject(labels, names, seed=seed)
    for grade, people_of_it in Counter(grade for grade, _ in subjects).items():
        parts = set(split[labels == grade].tolist())
        if people_of_it == 1:
            assert parts == {0}
        elif people_of_it == 2:
            assert 0 in parts
            assert len(parts) == 2
        else:
            assert parts == {0, 1, 2}


@settings(max_examples=20)
@given(seeds)
def test_many_subjects_come_near_the_ratios(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, names = rows_of(
        [{int(rng.choice(4, p=(0.6, 0.25, 0.1, 0.05))): int(rng.integers(1, 8))} for _ in range(400)]
    )
    split = split_by_subject(labels, names, seed=seed)
    for grade in range(4):
        of_grade = split[labels == grade]
        for part, share in enumerate((0.6, 0.2, 0.2)):
            assert abs((of_grade == part).mean() - share) < 0.1
    for part, share in enumerate((0.6, 0.2, 0.2)):
        assert abs((split == part).mean() - share) < 0.03


def test_another_seed_gives_another_split() -> None:
    labels, names = rows_of([{n % 3: 2} for n in range(60)])
    splits = {tuple(split_by_subject(labels, names, seed=seed).tolist()) for seed in range(5)}
    assert len(splits) == 5


def test_one_subject_alone_is_training_data() -> None:
    assert split_by_subject(np.array([0, 1, 1]), ["kim"] * 3).tolist() == [0, 0, 0]


def test_two_grades_of_one_subject_each_are_both_in_train() -> None:
    split = split_by_subject(np.array([0, 0, 0, 0, 0, 1, 2]), ["a", "b", "c", "d", "e", "f", "g"])
    assert split[5:].tolist() == [0, 0]


def test_a_grade_whose_people_all_have_rarer_grades_still_reaches_train() -> None:
    # Grade 2's people are b, c and x; b, c and x may all have been placed outside train by grades 0 and 1.
    grades = [(0, "abc"), (1, "xyz"), (2, "bcx")]
    labels = np.array([grade for grade, people_of_it in grades for _ in people_of_it])
    names = [person for _, people_of_it in grades for person in people_of_it]
    for seed in range(50):
        split = split_by_subject(labels, names, seed=seed)
        assert set(labels[split == 0].tolist()) == {0, 1, 2}


def test_shared_subjects_are_found() -> None:
    assert shared_subjects(np.array([0, 1, 2, 2]), ["a", "b", "c", "a"]) == {"a"}
    assert shared_subjects(np.array([0, 1, 2, 0]), ["a", "b", "c", "a"]) == set()


@pytest.mark.parametrize(
    "text", ["60/20", "60/20/20/0", "a/b/c", "60/20/30", "0/50/50", "60/0/40", "-60/80/80", "", "60.0/20/20"]
)
def test_ratios_that_make_no_split_are_refused_with_their_text(text: str) -> None:
    with pytest.raises(SourceError, match=f"split '{text}'"):
        parse_ratios(text)


def test_a_split_may_do_without_a_test_part() -> None:
    assert parse_ratios("80/20/0") == (80, 20, 0)


def test_real_grades_of_real_subjects_are_split_evenly(real_data: Path) -> None:
    tables: dict[str, list[tuple[int, str]]] = {}
    with (real_data / "nia_gt_labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            item = row["item"].removeprefix("l_").removeprefix("r_")
            tables.setdefault(item, []).append((int(row["grade"]), row["subject"]))
    assert len(tables) == 8
    for item, rows in tables.items():
        labels = np.array([grade for grade, _ in rows], dtype=np.int16)
        names = [subject for _, subject in rows]
        split = split_by_subject(labels, names, seed=0)
        assert not shared_subjects(split, names), item
        people_of: dict[int, set[str]] = {}
        for grade, subject in rows:
            people_of.setdefault(grade, set()).add(subject)
        for grade, people_of_it in people_of.items():
            of_grade = split[labels == grade]
            if len(people_of_it) >= len(SPLITS):
                assert set(of_grade.tolist()) == {0, 1, 2}, (item, grade)
            if len(of_grade) >= 100:
                shares = [(of_grade == part).mean() for part in range(3)]
                assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.05), (item, grade)
