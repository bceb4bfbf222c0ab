"""Folds over the people of train and validation, so that each of them is graded by a model that never saw them."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skin_tune.data.pack.format import Pack
from skin_tune.errors import PackError

FOLDED = ("train", "val")
"""The splits whose people are dealt into folds; test stays what it is."""

NO_FOLD = -1
"""In place of a fold: who is trained on in all of them, and judged in none."""


@dataclass(frozen=True)
class Fold:
    """One of the folds that a seed deals."""

    number: int
    """From 0."""
    of: int
    seed: int


def fold_view(pack: Pack, fold: Fold) -> Pack:
    """`pack` with another `split`: the people of the fold are val, all others of train and val train, test is test.

    The view is for training in the process that makes it: pickled, it is the pack again, and its content has another
    id. Raises PackError where a fold has nobody.
    """
    rows = pack.indices(*FOLDED)
    numbers = deal_folds(pack.labels[rows], pack.subjects[rows], fold.of, fold.seed)
    if set(range(fold.of)) - set(numbers.tolist()):
        people = len(np.unique(pack.subjects[rows][numbers != NO_FOLD]))
        raise PackError(
            f"--folds {fold.of} leaves a fold without people: pack {str(pack.path)!r} has {people} in train and val to "
            "deal out, those not counted who alone show a class"
        )
    split = pack.split.copy()
    split[rows] = np.where(numbers == fold.number, "val", "train")
    return replace(pack, split=split)


def deal_folds(
    labels: npt.NDArray[np.integer], subjects: npt.NDArray[np.str_], folds: int, seed: int
) -> npt.NDArray[np.int64]:
    """The fold [N] of every row, 0..folds-1, or NO_FOLD; all rows of a subject get the same one.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011) over subjects: rarest grade first, its subjects
    from most to fewest images, each to the fold that has the fewest of that grade, then the fewest images. No training
    goes without a grade: its last subject does not join all others in one fold, and one who alone shows a grade gets
    NO_FOLD. Deterministic in `seed` and independent of the order of the rows, in every version: the folds of an
    interrupted confirmation must stay what they were.
    """
    names, subject_of_row = np.unique(subjects, return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (subject_of_row, labels), 1)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    held = np.zeros((folds, counts.shape[1]), dtype=np.int64)
    fold_of_subject = np.full(len(names), -1, dtype=np.int64)
    to_come = (counts > 0).sum(axis=0)
    for grade in np.argsort(to_come, kind="stable"):
        waiting = shuffled[(counts[shuffled, grade] > 0) & (fold_of_subject[shuffled] < 0)]
        for subject in waiting[np.argsort(-counts[waiting, grade], kind="stable")]:
            own = counts[subject] > 0
            elsewhere = held.sum(axis=0) - held > 0
            joins_all = (own & (to_come == 1) & (held > 0) & ~elsewhere).any(axis=1)
            fold = min(
                range(folds),
                key=lambda number: (joins_all[number], held[number, grade], held[number].sum(), number),
            )
            fold_of_subject[subject] = fold
            held[fold] += counts[subject]
            to_come = to_come - own
    for of_grade in counts.T:  # who alone shows it, or whose grades drive them from every fold
        if len(set(fold_of_subject[of_grade > 0].tolist())) == 1:
            fold_of_subject[of_grade.argmax()] = NO_FOLD
    return fold_of_subject[subject_of_row]
