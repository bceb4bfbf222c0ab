"""A trial on one worker: the Trainer inside a Tune actor that is reused from trial to trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack, open_pack
from skin_tune.errors import PackError
from skin_tune.model.network import StateDict
from skin_tune.paths import RunPaths
from skin_tune.training.checkpoint import load_checkpoint, save_checkpoint
from skin_tune.training.trainer import Trainer, TrainingDivergedError

WeightsTable = Mapping[tuple[str, str], StateDict | None]
"""Starting weights by (`weights`, `backbone`), resolved once by the driver."""


@dataclass(frozen=True)
class TrialSetting:
    """What all trials of an experiment share."""

    pack: Path
    storage: Path
    region: str
    experiment: str
    metric: str
    cpus: int
    pack_id: str

    def checkpoints(self, trial_id: str) -> Path:
        """Folder of one trial's `best.pt` and, while it is unfinished, `last.pt`."""
        return RunPaths(self.storage).checkpoints(self.region, self.experiment, trial_id)


class TuneTrial(tune.Trainable):
    """One epoch a step. The actor opens the pack once and keeps it; a new config only builds a new Trainer.

    A trial that cannot go on says so in its last result (`status` and `error`) instead of raising, so that its actor
    lives on for the next one.
    """

    def setup(self, config: dict[str, Any], setting: TrialSetting, weights: WeightsTable) -> None:
        self._setting, self._weights = setting, weights
        self._pack: Pack | None = None
        self._device = "cuda" if ray.get_gpu_ids() else "cpu"
        torch.set_num_threads(setting.cpus)
        self._trainer: Trainer | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._trainer = None
        if self._device == "cuda":
            torch.cuda.empty_cache()  # a neighbour on the same GPU may need it
        return True

    def step(self) -> dict[str, Any]:
        try:
            if self._trainer is None:
                self._trainer = self._build()
            return self._next_epoch(self._trainer)
        except TrainingDivergedError as error:
            return self._ended("diverged", error)
        except torch.AcceleratorError:
            raise  # the process has lost its device: only a new one can go on
        except Exception as error:
            return self._ended("failed", error)

    def _build(self) -> Trainer:
        if self._pack is None:
            self._pack = open_pack(self._setting.pack)
            if self._pack.info.pack_id != self._setting.pack_id:
                raise PackError(f"pack {str(self._setting.pack)!r} has changed since the experiment began")
        values = {name: value for name, value in self.config.items() if name != "trial_id"}
        config = TrialConfig.from_mapping(values)
        trainer = Trainer(
            config,
            self._pack,
            device=self._device,
            metric=self._setting.metric,
            weights=self._weights[config.weights, config.backbone],
        )
        if self._last.is_file():  # the trial was interrupted
            trainer.load_state_dict(load_checkpoint(self._last))
        return trainer

    @property
    def _last(self) -> Path:
        return self._setting.checkpoints(self.config["trial_id"]) / "last.pt"

    def _next_epoch(self, trainer: Trainer) -> dict[str, Any]:
        result: dict[str, Any] = trainer.run_epoch()
        checkpoint = self._last.with_name("best.pt")
        if trainer.improved:
            save_checkpoint(checkpoint, trainer.model_state())
        if not trainer.finished:
            save_checkpoint(self._last, trainer.state_dict())
        return {
            **result,
            "best_epoch": trainer.best_epoch,
            f"best_{self._setting.metric}": trainer.best_metrics[self._setting.metric],
            "checkpoint": str(checkpoint),
            "done": trainer.finished,
        }

    def _ended(self, status: str, error: Exception) -> dict[str, Any]:
        epoch = self._trainer.epoch - 1 if self._trainer else 0
        self._trainer = None
        return {"status": status, "error": one_line(error), "epoch": epoch, self._setting.metric: 0.0, "done": True}


def one_line(error: BaseException) -> str:
    """What went wrong, without a traceback."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
