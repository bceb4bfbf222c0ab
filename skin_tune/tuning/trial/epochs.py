"""A trial: the Trainer inside a Tune actor that is reused from trial to trial."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack, open_pack
from skin_tune.errors import PackChangedError, StoreError
from skin_tune.model.network import StateDict
from skin_tune.paths import RunPaths
from skin_tune.results.lock import check_storage
from skin_tune.results.predictions import write_predictions
from skin_tune.training.checkpoint import BackgroundSaver, load_checkpoint, save_checkpoint
from skin_tune.training.evaluation import Evaluation, hardware
from skin_tune.training.metrics import SELECTION_METRICS
from skin_tune.training.trainer import Trainer, TrainingDivergedError

OWN_ID = "trial_id"
"""Entry of a Tune config that is no hyper-parameter: the trial's id in the store, kept over restarts."""
REGION = "region"
"""Entry of a Tune config that is no hyper-parameter: the region whose experiment the trial belongs to."""

WeightsTable = Mapping[tuple[str, str], StateDict | None]
"""Starting weights by (`weights`, `backbone`), resolved once by the driver."""


@dataclass(frozen=True)
class TrialSetting:
    """What all trials of an experiment share."""

    pack: Path
    pack_id: str
    storage: Path
    region: str
    experiment: str
    metric: str
    split_seed: int
    classes: Sequence[str]
    ordinal: bool
    include_val: bool = False
    """Whether the validation images are trained on, too."""
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    """Tells this run from others, so that each machine has its pack hashed once in it."""

    @classmethod
    def of(
        cls, pack: Pack, storage: Path, experiment: str, metric: str, *, include_val: bool = False
    ) -> "TrialSetting":
        """Of trials on `pack`."""
        info = pack.info
        return cls(
            pack=pack.path,
            pack_id=info.pack_id,
            storage=storage,
            region=info.region,
            experiment=experiment,
            metric=metric,
            split_seed=info.split_seed,
            classes=info.classes,
            ordinal=info.ordinal,
            include_val=include_val,
        )

    def checkpoints(self, trial_id: str) -> Path:
        """Folder of one trial's `best.pt` and, while it is unfinished, `last.pt`."""
        return RunPaths(self.storage).checkpoints(self.region, self.experiment, trial_id)

    def keep_validation(self, trial_id: str, validation: Evaluation) -> None:
        """Put what a trial's best epoch so far says of the validation images into the store."""
        write_predictions(self.storage, self.region, self.experiment, trial_id, "val", **validation.columns())

    def check_storage(self) -> None:
        """Raise StoreError where the experiment's folder was removed: nothing is to be written there any more."""
        check_storage(RunPaths(self.storage).lock(self.region, self.experiment))

    def open_pack(self) -> Pack:
        """The experiment's pack. Raises PackError where it is not to be had on this machine, or another is there."""
        pack = open_pack(self.pack, self.pack_id)
        pack.verify(self.run)
        return pack


Settings = Mapping[str, TrialSetting]
"""By region: the experiments that share a Tune run."""


def hyper_parameters(config: Mapping[str, Any]) -> dict[str, Any]:
    """A Tune config without the entries that are no hyper-parameters."""
    return {name: value for name, value in config.items() if name not in (OWN_ID, REGION)}


class TuneTrial(tune.Trainable):
    """One epoch a step, on one worker. The actor opens a pack once; a new config only builds a new Trainer.

    A trial that cannot go on says so in its last result (see `ending`) instead of raising, so that its actor lives on
    for the next one.
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
                self._trainer = start(self.config, setting, self._packs[region], self._weights, device=self._device)
                if self._trainer.epoch:
                    return last_epoch(self._trainer, self.config, setting)
            return next_epoch(self._trainer, self._saver, self.config, setting)
        except torch.AcceleratorError:
            raise  # the process has lost its device: only a new one can go on
        except Exception as error:
            epochs = self._trainer.epoch - 1 if self._trainer else 0
            self._trainer = None
            return ending(error, epochs)


def start(
    config: Mapping[str, Any],
    setting: TrialSetting,
    pack: Pack,
    weights: WeightsTable,
    *,
    device: str | torch.device,
    rank: int = 0,
    world_size: int = 1,
) -> Trainer:
    """The Trainer of a Tune config, where its checkpoint left it if it was interrupted."""
    trial_config = TrialConfig.from_mapping(hyper_parameters(config))
    trainer = Trainer(
        trial_config,
        pack,
        device=device,
        rank=rank,
        world_size=world_size,
        metric=setting.metric,
        include_val=setting.include_val,
        weights=weights[trial_config.weights, trial_config.backbone],
    )
    last = setting.checkpoints(config[OWN_ID]) / "last.pt"
    if last.is_file():
        trainer.load_state_dict(load_checkpoint(last))
    return trainer


def next_epoch(
    trainer: Trainer, saver: BackgroundSaver, config: Mapping[str, Any], setting: TrialSetting
) -> dict[str, Any]:
    """Run an epoch, keep checkpoints (the first rank does), and return what Tune is told of the epoch.

    Raises StoreError where the storage cannot be written.
    """
    folder = setting.checkpoints(config[OWN_ID])
    try:
        setting.check_storage()
        # Of the epoch before, now that the trial is known to go on: one that was stopped there needs no `last.pt`.
        if trainer.rank == 0 and trainer.epoch:
            saver.save(folder / "last.pt", trainer.state_dict())
        try:
            trainer.run_epoch()
        finally:
            saver.wait()  # whoever hears of this epoch may remove what was saved
        setting.check_storage()
        if trainer.rank == 0 and trainer.improved:
            save_checkpoint(folder / "best.pt", trainer.model_state())
            if trainer.validation is not None:
                setting.keep_validation(config[OWN_ID], trainer.validation)
    except OSError as error:
        raise StoreError(f"cannot write to {str(folder)!r}: {error.strerror or error}") from None
    return last_epoch(trainer, config, setting)


def last_epoch(trainer: Trainer, config: Mapping[str, Any], setting: TrialSetting) -> dict[str, Any]:
    """What Tune is told of the last epoch.

    A trial that is taken up after an interruption begins with it: the driver may not have heard of it, and a scheduler
    not have judged it.
    """
    return {
        **trainer.history[-1],
        "best_epoch": trainer.best_epoch,
        f"best_{setting.metric}": trainer.best_metrics.get(setting.metric),
        "hardware": hardware(trainer.device, trainer.world_size),
        "checkpoint": str(setting.checkpoints(config[OWN_ID]) / "best.pt"),
        "done": trainer.finished,
    }


_EPOCH_ONLY = ("epoch", "learning_rate", "epoch_seconds", "images_per_second")


def epoch_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The Trainer's metrics among what a trial reports."""
    return {name: value for name, value in result.items() if name in _EPOCH_ONLY or name.startswith(("train_", "val_"))}


def ending(error: Exception, epochs: int) -> dict[str, Any]:
    """The last result of a trial that cannot go on: its status and reason, after so many whole epochs.

    `fatal` says that no other trial could go on either.
    """
    return {
        "status": "diverged" if isinstance(error, TrainingDivergedError) else "failed",
        "error": one_line(error),
        "fatal": isinstance(error, StoreError | PackChangedError),
        "epoch": epochs,
        **dict.fromkeys(SELECTION_METRICS, 0.0),  # Tune wants its metric in every result
        "done": True,
    }


def one_line(error: BaseException) -> str:
    """What went wrong, without a traceback."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
