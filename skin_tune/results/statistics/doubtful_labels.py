"""Photos of an experiment by how far its out-of-fold models contradict their grades."""

import numpy as np
import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.results.statistics.label_quality import suggested_labels, with_shares_of
from skin_tune.results.statistics.run_names import confirmations_of, folds_of, without_fold
from skin_tune.results.store.classes import class_names
from skin_tune.results.store.tables import load_predictions, load_trials
from skin_tune.storage.files import Location

_PHOTO = ["source", "crop"]


def doubtful_labels(storage: str | Location, region: str, experiment: str) -> pd.DataFrame:
    """A row for each photo of train and validation, the most doubtful grade first.

    Probabilities are means over all runs of the experiment's confirmations by folds, each of a model that was trained
    without the photo's subject, for a population with the grades' own shares. Columns:

    - ``source subject``, ``crop`` (0, or the number among several crops of one photo)
    - ``grade`` as given, ``models_grade`` where the models say another, else the same; both names of classes
    - ``grade_probability`` and ``certainty``: their probabilities; the first decides the order
    - ``contradicted``: whether the two differ; ``of_subject``, the share of the subject's photos that are
    - ``runs``: models that graded it

    Raises StoreError where there are no out-of-fold predictions, or they are of different packs.
    """
    names = [name for name in confirmations_of(storage, region, experiment) if folds_of(name)]
    parts = [_numbered(load_predictions(storage, region, name, split="oof")) for name in names]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if rows.empty:
        raise StoreError(
            f"experiment {experiment!r} has no predictions by models that did not see the photo; "
            f"skin-tune confirm {experiment} --folds 5 makes them"
        )
    trials = pd.concat([load_trials(storage, region, name) for name in names], ignore_index=True)
    if trials["pack_id"].nunique() > 1:
        raise StoreError(f"{', '.join(names)} were trained on different packs: their grades need not be the same")
    rows["row"] = rows.groupby(_PHOTO, sort=False).ngroup()
    photos = rows.drop_duplicates("row").set_index("row")[[*_PHOTO, "subject", "label"]].sort_index()
    labels = photos["label"].to_numpy(np.int64)
    stacked = np.stack(rows["probabilities"].to_list()).astype(np.float64)
    runs = np.bincount(rows["row"], minlength=len(photos))
    sums = np.zeros((len(photos), stacked.shape[1]))
    np.add.at(sums, rows["row"].to_numpy(), stacked)
    return _judged(photos, labels, sums / sums.sum(axis=1, keepdims=True), runs, trials)


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the number of a crop among those of its photo, which each run has in the same order."""
    run = rows["trial_id"].map(without_fold)
    return rows.assign(crop=rows.groupby([run, "source"], sort=False).cumcount())


def _judged(
    photos: pd.DataFrame, labels: np.ndarray, probabilities: np.ndarray, runs: np.ndarray, trials: pd.DataFrame
) -> pd.DataFrame:
    if len(np.unique(labels)) < 2:
        raise StoreError("all photos have the same grade: there is nothing that could contradict it")
    probabilities = with_shares_of(labels, probabilities)
    suggested = suggested_labels(labels, probabilities)
    classes = class_names(trials, np.bincount(labels, minlength=probabilities.shape[1]).tolist())
    each = np.arange(len(labels))
    found = photos[["source", "crop", "subject"]].assign(
        grade=[classes[label] for label in labels],
        models_grade=[classes[label] for label in suggested],
        certainty=probabilities[each, suggested],
        grade_probability=probabilities[each, labels],
        contradicted=suggested != labels,
        runs=runs,
    )
    found["of_subject"] = found.groupby("subject", dropna=False)["contradicted"].transform("mean")
    return found.sort_values(["grade_probability", "source", "crop"], kind="stable").reset_index(drop=True)
