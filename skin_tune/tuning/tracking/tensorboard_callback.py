"""Tune's callback that writes trials for TensorBoard."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from skin_tune.config import canonical
from skin_tune.results.store.status import UNUSABLE
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.tracking.tensorboard_events import TrialEvents
from skin_tune.tuning.trial.context import REGION, TRIAL_ID, hyper_parameters


@dataclass(frozen=True)
class TensorboardExperiment:
    """An experiment whose trials are written, and the writer of its rows."""

    paths: RunPaths
    region: str
    name: str
    writer: ExperimentWriter


class TensorboardCallback(Callback):
    """Keeps event files to what the rows of the experiments, each of another region, say; told after the store."""

    def __init__(self, experiments: Sequence[TensorboardExperiment]):
        self._experiments = {experiment.region: experiment for experiment in experiments}
        self._open: dict[tuple[str, str], TrialEvents] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks; a copy has nothing to write to

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._events(trial)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        if events := self._events(trial):
            for metrics in self._experiment(trial).writer.epochs_of(trial.config[TRIAL_ID])[-1:]:
                events.log(metrics)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        row = self._experiment(trial).writer.trial(trial.config[TRIAL_ID])
        if not row:  # it waited for a place when its experiment ended
            return
        if events := self._events(trial):
            if row.get("ended_at") is not None:
                events.end(row["status"] not in UNUSABLE)
            events.close()
            del self._open[_key(trial)]

    on_trial_error = on_trial_complete

    def close(self) -> None:
        """Close the files of trials that were interrupted."""
        for events in self._open.values():
            events.close()
        self._open.clear()

    def _experiment(self, trial: Trial) -> TensorboardExperiment:
        return self._experiments[trial.config[REGION]]

    def _events(self, trial: Trial) -> TrialEvents | None:
        """The trial's files; None where the storage was removed, which is about to end the run, and not made anew."""
        key = _key(trial)
        if key not in self._open:
            experiment = self._experiment(trial)
            if not experiment.paths.experiment(experiment.region, experiment.name).exists():
                return None
            folder = experiment.paths.tensorboard(experiment.region, experiment.name, key[1])
            assert isinstance(folder, Path)  # `check_tensorboard` refuses buckets
            name = f"{experiment.region}/{experiment.name}/{key[1]}"
            config, history = canonical(hyper_parameters(trial.config)), experiment.writer.epochs_of(key[1])
            self._open[key] = TrialEvents(folder, name, config, history)
        return self._open[key]


def _key(trial: Trial) -> tuple[str, str]:
    return trial.config[REGION], trial.config[TRIAL_ID]
