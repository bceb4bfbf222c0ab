"""A trial on one worker: the Trainer inside a Tune actor that is reused from trial to trial."""

from typing import Any

import ray
import torch
from ray import tune

from skin_tune.data.pack.format import Pack
from skin_tune.training.checkpoint import BackgroundSaver
from skin_tune.training.trainer import Trainer
from skin_tune.tuning.backend.resources import TrialResources
from skin_tune.tuning.trial.context import REGION, Settings, WeightsTable
from skin_tune.tuning.trial.epochs import build_trainer, epoch_result, failure_result, next_epoch


class TuneTrial(tune.Trainable):
    """One epoch a step, on one worker. The actor opens a pack once; a new config only builds a new Trainer.

    A trial that fails reports so in its last result (`failure_result`) instead of raising, so that its actor stays for
    the next one.
    """

    def setup(self, config: dict[str, Any], settings: Settings, weights: WeightsTable, cpus: int) -> None:
        self._settings, self._weights = settings, weights
        self._packs: dict[str, Pack] = {}
        self._device = "cuda" if ray.get_gpu_ids() and torch.cuda.is_available() else "cpu"
        torch.set_num_threads(cpus)
        self._trainer: Trainer | None = None
        self._saver = BackgroundSaver()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._trainer = None
        if self._device == "cuda":
            torch.cuda.empty_cache()  # a neighbour on the same GPU may need it
        return True

    def step(self) -> dict[str, Any]:
        region = self.config[REGION]
        setting = self._settings[region]
        try:
            if region not in self._packs:
                self._packs[region] = setting.open_pack()
            if self._trainer is None:
                self._trainer = build_trainer(
                    self.config, setting, self._packs[region], self._weights, device=self._device
                )
                if self._trainer.epoch:
                    return epoch_result(self._trainer, self.config, setting)
            return next_epoch(self._trainer, self._saver, self.config, setting)
        except torch.AcceleratorError:
            raise  # the process has lost its device: only a new one can go on
        except Exception as error:
            epochs = self._trainer.epoch - 1 if self._trainer else 0
            self._trainer = None
            return failure_result(error, epochs)


def trainable_class(settings: Settings, weights: WeightsTable, resources: TrialResources, max_failures: int) -> Any:
    """The Trainable for trials of one worker or of several, with what all of them share bound to it."""
    if resources.workers == 1:
        return tune.with_parameters(TuneTrial, settings=settings, weights=weights, cpus=resources.cpus)
    from skin_tune.tuning.backend.worker_group import (
        DistributedTrial,  # loads Ray Train, which one worker can do without
    )

    return tune.with_parameters(
        DistributedTrial, settings=settings, weights=weights, resources=resources, max_failures=max_failures
    )
