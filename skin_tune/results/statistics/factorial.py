"""Effects of loss, oversampling and augmentation, from a factorial of runs with paired seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.metrics import DECISION_METRICS
from skin_tune.results.statistics.bootstrap import Floats
from skin_tune.results.statistics.contrasts import contrasts, seeded_runs
from skin_tune.results.store.classes import class_names
from skin_tune.results.store.tables import load_predictions, load_trials
from skin_tune.storage.files import Location

_RARE = 3
"""How many of the rarest classes have a column of their own."""

Cell = tuple[str, str, str]
"""Levels of loss, oversampling and augmentation, in words."""


@dataclass(frozen=True)
class Factorial:
    """Cells and effects of a factorial."""

    seeds: int
    """Whole replications: seeds that every cell has been run with."""
    rare: Sequence[str]
    """The rarest classes, rarest first."""
    cells: pd.DataFrame
    """A row per cell: ``loss oversampling augmentation``, `metrics` with ``_low`` and ``_high``, ``val_acc`` and
    ``val_recall_<class>`` of the rare classes: means over seeds."""
    effects: pd.DataFrame
    """``effect metric value low high``: differences between means of cells."""

    @property
    def metrics(self) -> list[str]:
        """The DECISION_METRICS that it tells of: those of the adjusted decision only where all of the runs have it."""
        return [metric for metric in DECISION_METRICS if metric in self.cells]


def factorial(storage: Location, region: str, experiment: str, runs: Mapping[Cell, Sequence[str]]) -> Factorial:
    """Compare the cells of `runs`, ids of each cell's runs, seed by seed, in `experiment`.

    Seeds that not every cell has completed are left out. Raises StoreError where none is whole.
    """
    trials = load_trials(storage, region, experiment).set_index("trial_id")
    done = trials.index[trials["status"] == "completed"]
    whole = [seed for seed, ids in enumerate(zip(*runs.values(), strict=True)) if set(ids) <= set(done)]
    if not whole:
        raise StoreError(f"no seed of {experiment!r} has been run in every cell; the same command resumes it")
    kept = [[ids[seed] for seed in whole] for ids in runs.values()]
    cells = pd.DataFrame(list(runs), columns=["loss", "oversampling", "augmentation"])
    weights = effect_weights(list(runs))
    effects = []
    compared = trials.loc[[trial_id for ids in kept for trial_id in ids]]
    for metric in DECISION_METRICS:
        if metric not in compared or compared[metric].isna().any():  # of a version without adjusted decisions
            continue
        seeded = seeded_runs(storage, region, experiment, kept, metric)
        own = contrasts(seeded, np.eye(len(kept)))
        cells[[metric, f"{metric}_low", f"{metric}_high"]] = own[["value", "low", "high"]]
        found = contrasts(seeded, np.stack(list(weights.values())))
        effects.append(found.assign(effect=list(weights), metric=metric))
    rare = _rarest(storage, region, experiment, trials)
    for column in ("val_acc", *(f"val_recall_{name}" for name in rare)):
        cells[column] = [trials.loc[ids, column].mean() for ids in kept]
    columns = ["effect", "metric", "value", "low", "high"]
    return Factorial(len(whole), rare, cells, pd.concat(effects, ignore_index=True)[columns])


def effect_weights(cells: Sequence[Cell]) -> dict[str, Floats]:
    """Weights [C] of the cells in each effect, by the effect in words.

    A main effect is the difference between two levels, averaged over the other factors; the synergy of two factors is
    the effect of the first where the second is on, minus that where it is off.
    """
    losses = list(dict.fromkeys(cell[0] for cell in cells))
    reference, others = losses[0], losses[1:]

    def mean(*levels: str) -> Floats:
        chosen = np.array([all(level in cell for level in levels) for cell in cells], dtype=float)
        return chosen / chosen.sum()

    effects: dict[str, Floats] = {f"{loss} loss - {reference}": mean(loss) - mean(reference) for loss in others}
    effects["oversampling balanced - none"] = mean("balanced") - mean("none")
    effects["augmentation on - off"] = mean("on") - mean("off")
    for loss in others:
        for oversampling in ("none", "balanced"):
            words = f"{loss} loss - {reference}, oversampling {oversampling}"
            effects[words] = mean(loss, oversampling) - mean(reference, oversampling)
        effects[f"synergy of {loss} loss and oversampling"] = (
            mean(loss, "balanced") - mean(reference, "balanced") - mean(loss, "none") + mean(reference, "none")
        )
    return effects


def _rarest(storage: Location, region: str, experiment: str, trials: pd.DataFrame) -> list[str]:
    """Names of the rarest classes that have validation images."""
    some = load_predictions(storage, region, experiment, split="val", columns=["trial_id"])["trial_id"].iloc[0]
    rows = load_predictions(storage, region, experiment, split="val", trial=some, columns=["label", "probabilities"])
    images = np.bincount(rows["label"], minlength=len(rows["probabilities"].iloc[0]))
    names = class_names(trials, images.tolist())
    counts = rows["label"].value_counts().sort_values(kind="stable")
    return [names[label] for label in counts.index[:_RARE]]
