"""The report's data of one region: its trials on one pack, the champion, its refits, the cost."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.metrics import ADJUSTED, SELECTION_METRICS, decision_metric, formula_of, is_adjusted, val_metric
from skin_tune.results.report.cost import Cost, cost_of, total
from skin_tune.results.report.model_performance import ModelPerformance, model_performance
from skin_tune.results.statistics.combination import Gain, combination_of, combined_from, gain_of
from skin_tune.results.statistics.compare import Comparison, compare
from skin_tune.results.statistics.confirmation import Championship, championship
from skin_tune.results.statistics.run_names import confirmations_of, confirmed_by, folds_of, runs_by_config
from skin_tune.results.store.classes import class_names
from skin_tune.results.store.notes import read_note, wrong_facts, wrong_spec
from skin_tune.results.store.ranking import best_first, no_trial
from skin_tune.results.store.schema import EPOCHS, TRIALS
from skin_tune.results.store.status import usable
from skin_tune.results.store.tables import load_epochs, load_predictions, load_test_openings, load_trials
from skin_tune.storage.files import Location, location, sorted_glob
from skin_tune.storage.run_paths import RunPaths

DEFAULT_METRIC = SELECTION_METRICS[0]
_RESAMPLES = 1000
"""Resamples: a tenth of those of `compare`, for eight regions at once."""


@dataclass(frozen=True)
class Refit:
    """A model that was trained again and tested."""

    facts: Mapping[str, Any]
    """Its `metrics.json`, see `CardFacts`."""
    test: ModelPerformance | None
    """None where the store has no answers of it."""


@dataclass(frozen=True)
class Section:
    """The experiments of one region that share a pack: scores of different packs do not compare."""

    region: str
    pack_id: str
    """Empty in stores of older versions."""
    experiments: Sequence[str]
    chosen_by: str
    """The champion is the best trial by it."""
    metric: str
    """The metric that scores are told in: `chosen_by`, or that of decisions in its place."""
    ordinal: bool
    """Whether the classes have an order; where not, MAE, within-one and QWK are left out."""
    trials: pd.DataFrame
    """Rows of the store's `trials`, best first, those that cannot win last; with the columns of a comparison."""
    epochs: pd.DataFrame
    comparison: Comparison
    confirmed: Mapping[str, Championship | None]
    """By experiment, how its best configs compare over new seeds; None where that is not known yet."""
    gains: Sequence[Gain]
    """What each combination of models gains over the best of its experiment."""
    champion: Mapping[Any, Any] | None
    """Its row: the confirmed champion's, or the best trial's; None where no trial finished an epoch."""
    validation: ModelPerformance | None
    """The champion on the validation split; None where the store has no predictions of it."""
    classes: Sequence[str]
    """Names, in ordinal order where there is one; empty where nothing says how many there are."""
    train_images: Sequence[int] | None
    """By class; None where the store does not say."""
    refits: Sequence[Refit]
    openings: int
    """How often the pack's test split has been opened below this storage."""
    costs: Mapping[str, Cost]
    """By experiment, then by refitted model."""
    cost: Cost
    """Of all."""


def sections(storage: str | Location, region: str | None = None, experiment: str | None = None) -> list[Section]:
    """A section for each region and pack, by name. Raises StoreError where the store has no such trial."""
    trials, epochs = load_trials(storage, region, experiment), load_epochs(storage, region, experiment)
    if trials.empty:
        raise no_trial(storage, region, experiment)
    if experiment is not None:
        beside = [*confirmations_of(storage, region, experiment), combination_of(experiment)]
        trials = pd.concat([trials, *(load_trials(storage, region, name) for name in beside)])
    trials = _with_columns(trials, [*TRIALS.names, "config/epochs"])
    epochs = _with_columns(epochs, EPOCHS.names)
    openings = load_test_openings(storage)
    pack = trials.groupby(["region", "experiment"])["pack_id"].transform("first").fillna("")
    found = []
    for (name, pack_id), of in trials.groupby([trials["region"], pack], sort=True):
        here = (epochs["region"] == name) & epochs["experiment"].isin(of["experiment"].unique())
        opened = int(((openings["region"] == name) & (openings["pack_id"] == pack_id)).sum())
        found.append(_section(storage, str(name), str(pack_id), of, epochs[here], opened))
    return found


def _section(
    storage: str | Location, region: str, pack_id: str, all_trials: pd.DataFrame, epochs: pd.DataFrame, openings: int
) -> Section:
    paths = RunPaths(location(storage))
    names = list(map(str, all_trials["experiment"].unique()))
    experiments = [name for name in names if confirmed_by(name) not in names and combined_from(name) not in names]
    combined = all_trials[all_trials["experiment"].isin([combination_of(name) for name in experiments])]
    trials = all_trials[all_trials["experiment"].isin(experiments)]
    notes = [read_note(paths.spec(region, experiment)) for experiment in experiments]
    asked = [{} if wrong_spec(note) else note for note in notes]
    chosen_by = _chosen_by(asked)
    metric = decision_metric(chosen_by)
    comparison = compare(storage, region, experiments, metric=metric, resamples=_RESAMPLES)
    ranked = _ranked(trials, comparison, chosen_by)
    confirmed = {
        name: _championship(storage, region, confirmations, all_trials, metric)
        for name in experiments
        if (confirmations := [each for each in names if confirmed_by(each) == name])
    }
    best = _champion(ranked, confirmed)
    is_champion = usable(best.to_dict(), chosen_by)
    ordinal = comparison.ordinal
    validation = None
    if is_champion:
        validation = _answers(storage, region, best["experiment"], best["trial_id"], "val", metric, ordinal)
    counts = _training_counts(asked, len(validation.confusion) if validation else None)
    refits = [refit for experiment in experiments for refit in _refits(storage, paths, region, experiment, ordinal)]
    costs = {str(name): cost_of(of) for name, of in all_trials.groupby("experiment", sort=False)}
    costs |= {refit.facts["model"]: _cost_of_refit(refit.facts) for refit in refits}
    return Section(
        region=region,
        pack_id=pack_id,
        experiments=experiments,
        chosen_by=chosen_by,
        metric=metric,
        ordinal=ordinal,
        trials=ranked,
        epochs=epochs[epochs["experiment"].isin(experiments)],
        comparison=comparison,
        confirmed=confirmed,
        gains=_gains(storage, region, combined, chosen_by),
        champion=best.to_dict() if is_champion else None,
        validation=validation,
        classes=list(counts) or (class_names(trials, validation.confusion.sum(axis=1).tolist()) if validation else []),
        train_images=list(counts.values()) or None,
        refits=refits,
        openings=openings,
        costs=costs,
        cost=total(costs.values()),
    )


def _championship(
    storage: str | Location, region: str, confirmations: Sequence[str], trials: pd.DataFrame, metric: str
) -> Championship | None:
    """Of the confirmations of one experiment that of the most folds, whose judges are the most people."""
    for confirmation in sorted(confirmations, key=lambda name: folds_of(name) or 0, reverse=True):
        runs = runs_by_config(trials.loc[trials["experiment"] == confirmation, "trial_id"])
        with suppress(StoreError):  # runs are under way, were interrupted, or failed
            return championship(storage, region, confirmation, runs, metric)
    return None


def _gains(storage: str | Location, region: str, combined: pd.DataFrame, chosen_by: str) -> list[Gain]:
    adjusted_metric = val_metric(formula_of(chosen_by), adjusted=True)  # by which a combination is chosen
    found = []
    for row in combined.to_dict("records"):
        with suppress(StoreError):  # the predictions of what it is held against are gone
            experiment = combined_from(row["experiment"]) or ""
            found.append(gain_of(storage, region, experiment, row["trial_id"], adjusted_metric))
    return found


def _champion(ranked: pd.DataFrame, confirmed: Mapping[str, Championship | None]) -> pd.Series:
    """The best of the confirmed champions, by the mean over seeds; without one the best trial."""
    known = {name: result for name, result in confirmed.items() if result is not None}
    for name in sorted(known, key=lambda name: -known[name].winner["mean"]):
        row = ranked[(ranked["experiment"] == name) & (ranked["trial_id"] == known[name].champion)]
        if len(row):
            return row.iloc[0]
    return ranked.iloc[0]


def _chosen_by(asked: Sequence[Mapping[str, Any]]) -> str:
    """The metric of all experiments, if it is one."""
    metrics = {each.get("metric", DEFAULT_METRIC) for each in asked}
    return str(*metrics) if len(metrics) == 1 else DEFAULT_METRIC


def _training_counts(asked: Sequence[Mapping[str, Any]], classes: int | None) -> dict[str, int]:
    """Images by class name, as an experiment has noted them; empty where none has, or of another number of classes."""
    found: list[dict[str, int]] = [each["counts"]["train"] for each in asked if each.get("counts")]
    return next((counts for counts in found if classes in (None, len(counts))), {})


def _with_columns(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A table of any version: what it has not is a gap."""
    return frame.reindex(columns=[*frame.columns, *(name for name in names if name not in frame)])


def _ranked(trials: pd.DataFrame, comparison: Comparison, metric: str) -> pd.DataFrame:
    key = ["experiment", "trial_id"]
    new = [name for name in comparison.trials if name not in trials]
    rows = trials.merge(comparison.trials[[*key, *new]], on=key, how="left", validate="one_to_one")
    return best_first(rows, metric)


def _answers(
    storage: str | Location, region: str, experiment: str, trial: str, split: str, metric: str, ordinal: bool
) -> ModelPerformance | None:
    """By the decision that `metric` is of; None where the store does not have it."""
    rows = load_predictions(storage, region, experiment, split=split, trial=trial)
    known = len(rows) and not (is_adjusted(metric) and rows[f"predicted{ADJUSTED}"].isna().any())
    return model_performance(rows, is_adjusted(metric), ordinal) if known else None


def _refits(storage: str | Location, paths: RunPaths, region: str, experiment: str, ordinal: bool) -> list[Refit]:
    files = sorted_glob(paths.experiment(region, experiment), "refit/*/metrics.json")
    found = [note for note in map(read_note, files) if "model" in note and "metrics" in note]
    found = [facts for facts in found if not wrong_facts(facts)]
    return [
        Refit(facts, _answers(storage, region, experiment, facts["model"], "test", metric_of_refit(facts), ordinal))
        for facts in found
    ]


def metric_of_refit(facts: Mapping[str, Any]) -> str:
    """The metric that a refitted model was chosen by; those of older versions do not all say."""
    return str(facts.get("metric", DEFAULT_METRIC))


def _cost_of_refit(facts: Mapping[str, Any]) -> Cost:
    epochs, seconds, gpu_seconds = (facts.get(name) or 0 for name in ("epochs", "seconds", "gpu_seconds"))
    return Cost(1, int(epochs), seconds / 3600, gpu_seconds / 3600, 0, 0, 0.0, 0.0)
