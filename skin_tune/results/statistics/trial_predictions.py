"""Data to compare: the trials of one region and their predictions by subject, where the store has them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.metrics import ADJUSTED, Numbers, Tallies, is_adjusted
from skin_tune.results.statistics.bootstrap import tally_subjects
from skin_tune.results.statistics.run_names import without_fold
from skin_tune.results.store.classes import are_ordinal, check_has_metric, class_names
from skin_tune.results.store.ranking import no_trial
from skin_tune.results.store.status import are_usable
from skin_tune.results.store.tables import load_predictions, load_trials
from skin_tune.storage.files import Location

_KEY = ["experiment", "trial_id"]
_FEW_SUBJECTS = 3


@dataclass(frozen=True)
class ComparableTrials:
    """Trials, those that can be compared first."""

    trials: pd.DataFrame
    tallies: Tallies | None
    """[S, T, ...] of the first T rows of `trials`; None where none can be compared."""
    ordinal: bool
    """Whether their classes have an order."""
    notes: tuple[str, ...]
    split: str = "val"
    """The split of the store's `predictions` that they are compared on."""
    class_names: Sequence[str] = ()
    """Of the classes that they were compared on."""

    @property
    def compared(self) -> int:
        """T."""
        return 0 if self.tallies is None else self.tallies.hits.shape[1]


def gather(
    storage: str | Location, region: str, experiments: Sequence[str], metric: str, *, out_of_fold: bool = False
) -> ComparableTrials:
    """Trials of a region's `experiments` (all if none) and their tallies on the validation split.

    The tallies are of the decision that `metric` is of. With `out_of_fold` a trial is a run of all its folds, and its
    predictions are those that each fold's model makes of the people it has not seen; without it, runs of folds are
    left out unless their experiment is named.

    Raises StoreError where an experiment has no trial, where trials were trained on different packs, for a metric
    that their classes cannot have, and where somebody is in two folds of a run.
    """
    split = "oof" if out_of_fold else "val"
    trials = load_trials(storage, region)
    if not experiments and "fold" in trials:
        trials = trials[trials["fold"].isna()]
    if trials.empty:
        raise no_trial(storage, region, None)
    for experiment in set(experiments) - set(trials["experiment"]):
        raise no_trial(storage, region, experiment)
    if experiments:
        trials = trials[trials["experiment"].isin(experiments)]
    if out_of_fold:
        trials = _runs_of_folds(trials)
    _check_pack(trials, region)
    check_has_metric(trials, metric)
    ordinal = are_ordinal(trials)
    tallies = _tallies(predictions(storage, region, experiments, is_adjusted(metric), split), storage, split)
    keys = list(trials[_KEY].itertuples(index=False, name=None))
    unusable = (~are_usable(trials)).to_list()
    usable = [row for row, key in enumerate(keys) if key in tallies and not unusable[row]]
    images = Counter(tallies[keys[row]].true.tobytes() for row in usable).most_common(1)
    compared = [row for row in usable if tallies[keys[row]].true.tobytes() == images[0][0]]
    whole = _joined([tallies[keys[row]] for row in compared]) if compared else None
    rest = [row for row in range(len(keys)) if row not in set(compared)]
    missing = sum(key not in tallies and not failed for key, failed in zip(keys, unusable, strict=True))
    notes = [
        *_notes_on_trials(trials, metric, {keys[row][0] for row in usable}, missing, len(usable) - len(compared)),
        *(_notes_on_subjects(whole.true[:, 0], trials, split, "grade" if ordinal else "class") if whole else ()),
    ]
    names = class_names(trials, whole.true.sum(axis=(0, 1)).tolist()) if whole else []
    ordered = trials.iloc[[*compared, *rest]].reset_index(drop=True)
    return ComparableTrials(ordered, whole, ordinal, tuple(notes), split, names)


def _runs_of_folds(trials: pd.DataFrame) -> pd.DataFrame:
    """A row per run: that of its first fold, or of one that failed or diverged."""
    failed_first = trials.iloc[np.argsort(are_usable(trials).to_numpy(), kind="stable")]
    return failed_first.assign(trial_id=failed_first["trial_id"].map(without_fold)).drop_duplicates(_KEY).sort_index()


def _check_pack(trials: pd.DataFrame, region: str) -> None:
    packs = trials.dropna(subset=["pack_id"]).groupby("pack_id", sort=False)["experiment"].unique()
    if len(packs) > 1:
        (one, first), (other, second) = list(packs.items())[:2]
        raise StoreError(
            f"{region} has trials on different packs, whose scores do not compare: {one!r} ({', '.join(first)}) and "
            f"{other!r} ({', '.join(second)}); name experiments of one pack: "
            f"skin-tune compare {first[0]} --region {region}"
        )


def predictions(
    storage: str | Location,
    region: str,
    experiments: Sequence[str],
    adjusted: bool,
    split: str,
    extra: Sequence[str] = (),
) -> pd.DataFrame:
    """``trial_id subject label predicted`` of every image of the split, `predicted` by the decision; without gaps.

    With the columns `extra` of the store, too. Where the split is `oof` a `trial_id` is that of a run's fold.
    """
    decision = f"predicted{ADJUSTED}" if adjusted else "predicted"
    columns = ["trial_id", "subject", "label", decision, *extra]
    asked: list[str | None] = [*experiments] or [None]
    parts = [load_predictions(storage, region, each, split=split, columns=columns) for each in asked]
    rows = pd.concat(parts, ignore_index=True).dropna(subset=[decision])
    return rows.assign(predicted=rows[decision].astype(np.int64)).reset_index(drop=True)


def _tallies(rows: pd.DataFrame, storage: str | Location, split: str) -> dict[Any, Tallies]:
    """Tallies [S, ...] of each (experiment, trial or run of folds), over the same subjects and classes."""
    if rows.empty:
        return {}
    region, experiment, trial = (str(rows[name].iloc[0]) for name in ("region", *_KEY))
    one = load_predictions(storage, region, experiment, split=split, trial=trial, columns=["trial_id", "probabilities"])
    classes = max(len(one["probabilities"].iloc[0]), *(int(rows[name].max()) + 1 for name in ("label", "predicted")))
    if split == "oof":
        rows = rows.assign(fold=rows["trial_id"], trial_id=rows["trial_id"].map(without_fold))
        _check_seen_once(rows)
    subject, subjects = pd.factorize(rows["subject"], use_na_sentinel=False)
    label, predicted = (rows[name].to_numpy(np.int64) for name in ("label", "predicted"))
    return {
        key: tally_subjects(subject[of], label[of], predicted[of], len(subjects), classes)
        for key, of in rows.groupby(_KEY, sort=False).indices.items()
    }


def _check_seen_once(rows: pd.DataFrame) -> None:
    """Raise StoreError where two folds of one run judge the same subject: another's model was trained on them."""
    folds = rows.groupby([*_KEY, "subject"], dropna=False)["fold"].nunique()
    if len(twice := folds[folds > 1]):
        experiment, run, subject = twice.index[0]
        raise StoreError(f"{subject!r} is in two folds of {run} in {experiment!r}: these do not belong together")


def _joined(trials: list[Tallies]) -> Tallies:
    """Tallies [S, T, ...] of trials that predicted the same images, of the subjects that these show."""
    shown = trials[0].true.any(axis=1)
    return Tallies(
        true=trials[0].true[shown, None],
        predicted=np.stack([trial.predicted[shown] for trial in trials], axis=1),
        hits=np.stack([trial.hits[shown] for trial in trials], axis=1),
        distance_sums=np.stack([trial.distance_sums[shown] for trial in trials], axis=1),
    )


def _notes_on_trials(
    trials: pd.DataFrame, metric: str, predicting: set[str], missing: int, other_images: int
) -> list[str]:
    notes = []
    for experiment, of in trials.groupby("experiment", sort=False):
        if experiment not in predicting and (metric not in of or of[metric].isna().all()):
            notes.append(f"experiment {experiment} has no trial that finished an epoch")
    for count, why in (
        (
            missing,
            "the store has no predictions of theirs, as from older versions, imports or before a first epoch",
        ),
        (other_images, "their predictions are of other images than the rest's"),
    ):
        if count:
            notes.append(f"{count} {'trial is' if count == 1 else 'trials are'} not compared: {why}")
    return notes


def _notes_on_subjects(true: Numbers, trials: pd.DataFrame, split: str, noun: str) -> list[str]:
    """Notes on rare classes, from images [S, K] of each subject and class; `noun` is the word for a class."""
    notes, images = [], {"val": "validation ", "oof": ""}[split]  # out of fold, those of train judge, too
    names, others = class_names(trials, true.sum(axis=0).tolist()), {"grade": "grades", "class": "classes"}[noun]
    subjects = (true > 0).sum(axis=0)
    for place in np.flatnonzero(subjects == 0):
        notes.append(f"no {images}image is of {noun} {names[place]}: balanced accuracy is over the other {others}")
    for place in np.flatnonzero((subjects > 0) & (subjects < _FEW_SUBJECTS)):
        seen = "one subject" if subjects[place] == 1 else f"{subjects[place]} subjects"
        notes.append(f"{noun} {names[place]} is seen in {seen} only: balanced accuracy and macro F1 hang on it")
    if len(true) == 1:
        notes.append(f"all {images}images are of one subject: no interval can be given")
    return notes
