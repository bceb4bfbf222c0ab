"""The one worker of a trial: the Trainer in a process that goes from trial to trial."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import ray
import torch

from skin_tune.data.pack.format import Pack
from skin_tune.training.checkpoint import BackgroundSaver
from skin_tune.training.trainer import Trainer
from skin_tune.tuning.trial.context import REGION, TRIAL_ID, Settings, WeightsTable
from skin_tune.tuning.trial.epochs import build_trainer, epoch_result, failure_result, next_epoch

_Result = TypeVar("_Result")


class TrialWorker:
    """Trains one trial after the other, an epoch a call. A pack is opened once; a new trial only builds a new Trainer.

    It runs in a Ray worker that holds the trial's resources, on its GPU if it has one, else with `cpus` threads.
    """

    def __init__(self, settings: Settings, weights: WeightsTable, cpus: int):
        self._settings, self._weights = settings, weights
        self._packs: dict[str, Pack] = {}
        self._device = "cuda" if ray.get_gpu_ids() and torch.cuda.is_available() else "cpu"
        torch.set_num_threads(cpus)
        self._trial = ("", "")
        self._trainer: Trainer | None = None
        self._saver = BackgroundSaver()

    def train_epoch(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Train a Tune config for one more epoch; its result, or `failure_result` where it fails.

        A trial whose checkpoint was found reports its last epoch first. Raises torch.AcceleratorError where the process
        has lost its device: only a new one can go on.
        """
        setting = self._settings[config[REGION]]
        try:
            if (config[REGION], config[TRIAL_ID]) != self._trial:
                self.forget()
            if config[REGION] not in self._packs:
                self._packs[config[REGION]] = setting.open_pack()
            if self._trainer is None:
                pack = self._packs[config[REGION]]
                self._trainer = build_trainer(config, setting, pack, self._weights, device=self._device)
                self._trial = (config[REGION], config[TRIAL_ID])
                if self._trainer.epoch:
                    return epoch_result(self._trainer, config, setting)
            return next_epoch(self._trainer, self._saver, config, setting)
        except torch.AcceleratorError:
            raise
        except Exception as error:
            epochs = self._trainer.epoch - 1 if self._trainer else 0
            self._trainer = None
            return failure_result(error, epochs)

    def forget(self) -> None:
        """Free what the last trial held."""
        self._trainer = None
        if self._device == "cuda":
            torch.cuda.empty_cache()  # a neighbour on the same GPU may need it

    def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """`function(*arguments)`, without a trial in memory."""
        self.forget()
        return function(*arguments)
