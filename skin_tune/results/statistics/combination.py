"""Whether the mean of several models grades better than the best of them alone."""

from dataclasses import dataclass

from skin_tune.metrics import decision_metric
from skin_tune.results.statistics.compare import compare
from skin_tune.results.store.ranking import rank_trials
from skin_tune.storage.files import Location, location

_COMBINED = "-combined"


def combination_of(experiment: str) -> str:
    """Name of the experiment that holds combinations of the models of `experiment`."""
    return f"{experiment}{_COMBINED}"


def combined_from(experiment: str) -> str | None:
    """Name of the experiment whose models `experiment` combines; None for any other."""
    return experiment.removesuffix(_COMBINED) if experiment.endswith(_COMBINED) else None


def combination_id(experiment: str, top: int) -> str:
    """Id of the combination of an experiment's `top` models."""
    return f"{experiment}-top{top}"


@dataclass(frozen=True)
class Gain:
    """What a combination gains over the best single model, on the people of the validation split."""

    trial_id: str
    """Of the combination."""
    metric: str
    single: str
    """The trial of the best single model."""
    value: float
    """The combination's metric."""
    difference: float
    low: float
    high: float
    """Of the difference, a 95% interval over people; NaN where nothing can be said."""

    @property
    def better(self) -> bool:
        """Whether the whole interval is above zero. Where nothing is better that is so in at most one case in 40."""
        return bool(self.low > 0)


def gain_of(storage: str | Location, region: str, experiment: str, trial_id: str, chosen_by: str) -> Gain:
    """Hold a combination of the models of `experiment` against the best of its trials by `chosen_by`.

    They are compared by their decisions, person by person. Raises StoreError where either has no predictions.
    """
    ranked = rank_trials(location(storage), region=region, experiment=experiment, sort=chosen_by, limit=1)
    single, metric = str(ranked["trial_id"].iloc[0]), decision_metric(chosen_by)
    both = compare(
        storage, region, [experiment, combination_of(experiment)], metric=metric, baseline=f"{experiment}/{single}"
    )
    row = both.trials[both.trials["trial_id"] == trial_id].iloc[0]
    difference, low, high = (float(row[f"difference{end}"]) for end in ("", "_low", "_high"))
    return Gain(trial_id, metric, single, float(row[metric]), difference, low, high)
