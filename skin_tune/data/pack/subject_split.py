"""Train, validation and test splits by subject, stratified by grade."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from skin_tune.errors import SourceError

SPLITS = ("train", "val", "test")
TRAIN_ANEW = (75, 25, 0)
"""How train's people are split where a source gives no val: as 60 to 20, and test stays what it is."""
_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


def split_name(text: str) -> str | None:
    """The split that a word means, in any letter case (``Validation`` is val); None for any other word."""
    return next((split for split, names in _NAMES.items() if text.strip().casefold() in names), None)


def parse_ratios(text: str) -> tuple[int, int, int]:
    """``"60/20/20"`` as whole percentages. Raises SourceError unless they are three, sum to 100, train and val > 0."""
    words = text.split("/")
    if len(words) != 3 or not all(word.isdecimal() for word in words):
        raise SourceError(f"split {text!r} is not three whole percentages train/val/test, such as 60/20/20")
    train, val, test = (int(word) for word in words)
    if train + val + test != 100 or not train or not val:
        raise SourceError(f"split {text!r} must sum to 100, with train and val above 0")
    return train, val, test


def split_by_subject(
    labels: npt.NDArray[np.integer],
    subjects: Sequence[str],
    *,
    ratios: tuple[int, int, int] = (60, 20, 20),
    seed: int = 0,
) -> npt.NDArray[np.int8]:
    """Index into SPLITS for every row [N]; all rows of a subject get the same one.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011) over subjects: rarest grade first, its subjects
    from most to fewest images, each to the split that has the smallest share of what it should hold of that grade.
    A grade with three subjects or more, each of that grade alone, is thus in every split, and every grade is in train.
    Deterministic in `seed` and independent of the order of the rows.
    """
    names, subject_of_row = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (subject_of_row, labels), 1)
    shuffled = np.random.default_rng(seed).permutation(len(names))

    open_splits = [split for split, ratio in enumerate(ratios) if ratio]
    wanted = np.outer(ratios, counts.sum(axis=0)) / 100
    held = np.zeros_like(wanted)
    split_of_subject = np.full(len(names), -1, dtype=np.int8)
    waiting = (counts > 0).sum(axis=0)
    for grade in np.argsort(waiting, kind="stable"):
        candidates = shuffled[(counts[shuffled, grade] > 0) & (split_of_subject[shuffled] < 0)]
        for subject in candidates[np.argsort(-counts[candidates, grade], kind="stable")]:
            split = min(
                open_splits,
                key=lambda s: (held[s, grade] / wanted[s, grade], s > 0, held[s].sum() / wanted[s].sum(), s),
            )
            own = counts[subject] > 0
            if (own & (waiting == 1) & (held[0] == 0)).any():
                split = 0  # the last subject that can bring one of its grades to train
            split_of_subject[subject] = split
            held[split] += counts[subject]
            waiting = waiting - own
    return split_of_subject[subject_of_row]


def given_split(
    given: Sequence[str], labels: npt.NDArray[np.integer], subjects: Sequence[str], *, seed: int
) -> npt.NDArray[np.int8]:
    """Index into SPLITS for every row [N] whose split the source gives, or -1 for people of whom it gives none.

    A row without a split takes its person's. Where no row is of val, train's people are split anew, see TRAIN_ANEW.
    Raises SourceError for people in two of the given splits, and where no row is of train.
    """
    names = np.asarray(subjects, dtype=str)
    codes = np.array([SPLITS.index(split) if split else -1 for split in given], dtype=np.int8)
    told = codes >= 0
    if shared := sorted(shared_subjects(codes, subjects)):
        raise SourceError(_in_two_splits(shared, codes, names))
    split_of = dict(zip(names[told].tolist(), codes[told].tolist(), strict=True))
    split = np.array([split_of.get(name, -1) for name in names.tolist()], dtype=np.int8)
    train = split == SPLITS.index("train")
    if not train.any():
        raise SourceError("the source's own split has no train row; give --split 60/20/20 to split anew")
    if not (split == SPLITS.index("val")).any():
        split[train] = split_by_subject(labels[train], names[train].tolist(), ratios=TRAIN_ANEW, seed=seed)
    return split


def _in_two_splits(shared: Sequence[str], codes: npt.NDArray[np.int8], names: npt.NDArray[np.str_]) -> str:
    told = []
    for name in shared[:3]:
        own = set(codes[(names == name) & (codes >= 0)].tolist())
        told.append(f"{name!r} in {' and '.join(SPLITS[code] for code in sorted(own))}")
    more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
    return f"the source's own split has subject {', '.join(told)}{more}; give --split 60/20/20 to split by subject anew"


def shared_subjects(split: npt.NDArray[np.integer], subjects: Sequence[str]) -> set[str]:
    """Subjects with rows in more than one split: empty for a sound split."""
    names = np.asarray(subjects, dtype=str)
    parts = [set(names[split == part].tolist()) for part in range(len(SPLITS))]
    return (parts[0] & parts[1]) | (parts[0] & parts[2]) | (parts[1] & parts[2])
