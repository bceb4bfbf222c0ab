"""Steps of a trial: build its Trainer, run an epoch, make the result for Tune. No Ray."""

from collections.abc import Mapping
from typing import Any

import torch

from skin_tune.config import TrialConfig
from skin_tune.data.pack.folds import fold_view
from skin_tune.data.pack.format import Pack
from skin_tune.errors import PackChangedError, StoreError
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.storage.files import cannot_write
from skin_tune.text.escaping import one_line
from skin_tune.training.checkpoint import BackgroundSaver, load_checkpoint, save_checkpoint
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from skin_tune.tuning.trial.context import FOLD, TRIAL_ID, TrialSetting, WeightsTable, hyper_parameters


def build_trainer(
    config: Mapping[str, Any],
    setting: TrialSetting,
    pack: Pack,
    weights: WeightsTable,
    *,
    device: str | torch.device,
    rank: int = 0,
    world_size: int = 1,
) -> Trainer:
    """The Trainer of a Tune config, where its checkpoint left it if it was interrupted.

    The people of a fold are to judge the model, and not to choose its epoch, too: there the last one counts.
    """
    trial_config = TrialConfig.from_mapping(hyper_parameters(config))
    fold = config.get(FOLD)
    trainer = Trainer(
        trial_config,
        pack if fold is None else fold_view(pack, fold),
        device=device,
        rank=rank,
        world_size=world_size,
        metric=setting.metric,
        include_val=setting.include_val,
        last_counts=fold is not None,
        weights=weights[trial_config.weights, trial_config.backbone],
        compiling_pays=setting.compiling_pays,
    )
    last = setting.checkpoints(config[TRIAL_ID]) / "last.pt"
    if last.is_file():
        trainer.load_state_dict(load_checkpoint(last))
    return trainer


def next_epoch(
    trainer: Trainer, saver: BackgroundSaver, config: Mapping[str, Any], setting: TrialSetting
) -> dict[str, Any]:
    """Run an epoch, keep checkpoints (the first rank does), and return the epoch's result for Tune.

    The model of a fold is not kept: it has been trained on people of the validation split.

    Raises StoreError if the storage cannot be written or was removed, TrainingDivergedError if a loss is not finite,
    PackChangedError if the pack changed.
    """
    folder = setting.checkpoints(config[TRIAL_ID])
    try:
        setting.check_storage()
        # The previous epoch is saved only now: a trial that was stopped after it needs no `last.pt`.
        if trainer.rank == 0 and trainer.epoch:
            saver.save(folder / "last.pt", trainer.state_dict(), setting.folder)
        try:
            trainer.run_epoch()
        finally:
            saver.wait()  # whoever hears of this epoch may remove what was saved
        setting.check_storage()
        if trainer.rank == 0 and trainer.improved:
            if FOLD not in config:
                save_checkpoint(folder / "best.pt", trainer.model_state(), setting.folder)
            if trainer.validation is not None:
                setting.keep_validation(config, trainer.validation)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return epoch_result(trainer, config, setting)


def epoch_result(trainer: Trainer, config: Mapping[str, Any], setting: TrialSetting) -> dict[str, Any]:
    """Result of the most recent epoch, in the form Tune expects.

    A restored trial reports it again first: driver or scheduler may have missed it.
    """
    return {
        **trainer.history[-1],
        "best_epoch": trainer.best_epoch,
        f"best_{setting.metric}": trainer.best_metrics.get(setting.metric),
        "hardware": trainer.hardware,
        "not_compiled": trainer.not_compiled,
        "checkpoint": None if FOLD in config else str(setting.checkpoints(config[TRIAL_ID]) / "best.pt"),
        "done": trainer.finished,
    }


def failure_result(error: Exception, epochs: int) -> dict[str, Any]:
    """The last result of a trial that failed after `epochs` whole epochs: its status and reason.

    `fatal` is true if the cause, the storage or the pack, stops all other trials, too.
    """
    return {
        "status": "diverged" if isinstance(error, TrainingDivergedError) else "failed",
        "error": one_line(error),
        "fatal": isinstance(error, StoreError | PackChangedError),
        "epoch": epochs,
        **dict.fromkeys(SELECTION_METRICS, 0.0),  # Tune wants its metric in every result
        "done": True,
    }
