"""One config trained on this machine without a cluster: `skin-tune train`."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from skin_tune.config import TrialConfig
from skin_tune.data.pack import open_pack
from skin_tune.data.pack_uses import note_use
from skin_tune.errors import CheckpointError, ConfigError, ExperimentError, StoreError
from skin_tune.evidence import code_version, joined, libraries
from skin_tune.paths import RunPaths, atomic_write, check_experiment_name
from skin_tune.results.classes import class_columns
from skin_tune.results.predictions import write_predictions
from skin_tune.results.schema import now
from skin_tune.results.store import ExperimentWriter
from skin_tune.training.checkpoint import BackgroundSaver, load_checkpoint, resumable_config, save_checkpoint
from skin_tune.training.evaluation import hardware
from skin_tune.training.fit import check_fit
from skin_tune.training.metrics import SELECTION_METRICS
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from skin_tune.tuning.wandb_log import WandbLog, WandbProcess, check_mode
from skin_tune.tuning.wandb_sync import write_again

TRIAL_ID = "train"


@dataclass(frozen=True)
class TrainRequest:
    """What `train` was asked for."""

    pack: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)
    storage: Path = Path("runs")
    name: str | None = None
    resume: Path | None = None
    metric: str | None = None
    """What the best epoch is chosen by; None: the checkpoint's, or val_balanced_acc."""
    wandb: str | None = None
    """online, offline or disabled; None: as wandb is configured."""
    wandb_id: str | None = None
    """The wandb run to go on with; None: the training's own."""


@dataclass(frozen=True)
class TrainOutcome:
    """How a training ended, and where its files are."""

    name: str
    epochs: int
    best_epoch: int
    best: Mapping[str, float]
    folder: Path
    wandb: str
    """What there is to know of the wandb run."""


def run_training(
    request: TrainRequest, on_epoch: Callable[[Mapping[str, float], int], None] = lambda metrics, epochs: None
) -> TrainOutcome:
    """Train to the last epoch, recording each in the store; `last.pt` and `best.pt` are kept as it goes.

    A resumed run takes the checkpoint's config, changed by the overrides, and goes on under the checkpoint's name in
    `storage`, unless a new name is given. Raises TrainingDivergedError where training fails.
    """
    check_mode(request.wandb)
    pack = open_pack(request.pack)
    region = pack.info.region
    state = load_checkpoint(request.resume) if request.resume is not None else None
    earlier = resumable_config(request.resume, state).to_dict() if request.resume and state else {}
    config = TrialConfig.from_mapping({**earlier, **request.overrides})
    check_fit(config, pack)
    if state is not None and state["epoch"] >= config.epochs:
        raise CheckpointError(
            f"checkpoint {str(request.resume)!r} has run all {state['epoch']} of its epochs; "
            f"give epochs={state['epoch'] + 10} or so to go on"
        )
    own_name = (state or {}).get("name")
    name = check_experiment_name(request.name or own_name or f"{region}-{time.strftime('%Y%m%d-%H%M%S')}")
    paths = RunPaths(request.storage)
    folder = paths.checkpoints(region, name, TRIAL_ID)
    if name != own_name and paths.experiment(region, name).exists():
        raise ExperimentError(
            f"experiment {name!r} of {region} already exists below {str(request.storage)!r}; "
            f"give another --name, or go on with --resume {folder / 'last.pt'}"
        )
    trainer = Trainer(
        config,
        pack,
        device="cuda" if torch.cuda.is_available() else "cpu",
        metric=request.metric or (state or {}).get("metric", SELECTION_METRICS[0]),
        weights=None if state is None else {},  # a checkpoint brings its own
    )
    if state is not None:
        trainer.load_state_dict(state)
    pack.verify()
    writer = ExperimentWriter(request.storage, region, name)
    _start(writer, trainer)
    note_use(pack, paths, name)
    wandb_process = WandbProcess(request.storage.resolve(), request.wandb)
    wandb_log = WandbLog(wandb_process, region, name)
    wandb_log.on_restart(partial(write_again, wandb_log, writer))
    run_id = request.wandb_id or os.environ.get("WANDB_RUN_ID")  # the latter is set by wandb's agent
    wandb_log.start(TRIAL_ID, config.to_dict(), () if run_id else trainer.history, run_id)
    try:
        if request.resume is not None and request.resume.parent.resolve() != folder.resolve():
            with atomic_write(folder / "best.pt") as temporary:
                temporary.write_bytes(request.resume.with_name("best.pt").read_bytes())
        _run(trainer, writer, wandb_log, request.storage, name, on_epoch)
    except OSError as error:
        raise StoreError(f"cannot write to {str(folder)!r}: {error.strerror or error}") from None
    except torch.OutOfMemoryError:
        message = f"batch_size={config.batch_size} at image_size={config.image_size} needs more memory than the GPU has"
        writer.update_trial(TRIAL_ID, status="failed", error=message, ended_at=now())
        raise ConfigError(message) from None
    except TrainingDivergedError as error:
        writer.update_trial(TRIAL_ID, status="diverged", error=str(error), ended_at=now())
        raise
    finally:
        if writer.trial(TRIAL_ID)["status"] == "running":
            writer.update_trial(TRIAL_ID, status="stopped_early")
        try:
            writer.flush()
        finally:
            writer.close()
            wandb_log.end(TRIAL_ID, writer.trial(TRIAL_ID))
            said = wandb_process.close()
    return TrainOutcome(name, trainer.epoch, trainer.best_epoch, trainer.best_metrics, folder, said)


def _start(writer: ExperimentWriter, trainer: Trainer) -> None:
    row = writer.trial(TRIAL_ID)
    fresh = {} if row else {"epochs": 0, "seconds": 0.0, "gpu_seconds": 0.0, "started_at": now()}
    writer.update_trial(
        TRIAL_ID,
        status="running",
        error=None,
        ended_at=None,
        seed=trainer.config.seed,
        pack_id=trainer.pack.info.pack_id,
        split_seed=trainer.pack.info.split_seed,
        **class_columns(trainer.pack.classes, trainer.pack.info.ordinal),
        code_version=joined(row.get("code_version"), code_version()),
        libraries=joined(row.get("libraries"), libraries()),
        hardware=joined(row.get("hardware"), hardware(trainer.device)),
        **fresh,
        **{f"config/{name}": value for name, value in trainer.config.to_dict().items()},
    )


def _run(
    trainer: Trainer,
    writer: ExperimentWriter,
    wandb_log: WandbLog,
    storage: Path,
    name: str,
    on_epoch: Callable[[Mapping[str, float], int], None],
) -> None:
    region = trainer.pack.info.region
    folder = RunPaths(storage).checkpoints(region, name, TRIAL_ID)
    row = writer.trial(TRIAL_ID)
    earlier, earlier_gpu = row.get("seconds") or 0.0, row.get("gpu_seconds") or 0.0
    started = time.monotonic()
    gpus = int(trainer.device.type == "cuda")
    saver = BackgroundSaver()
    try:
        while not trainer.finished:
            metrics = trainer.run_epoch()
            writer.check()
            writer.add_epoch(TRIAL_ID, metrics)
            if trainer.improved:
                save_checkpoint(folder / "best.pt", trainer.model_state())
                if trainer.validation is not None:
                    write_predictions(storage, region, name, TRIAL_ID, "val", **trainer.validation.columns())
                writer.record_best(TRIAL_ID, metrics, str(folder / "best.pt"))
            spent = time.monotonic() - started
            writer.update_trial(
                TRIAL_ID, epochs=trainer.epoch, seconds=earlier + spent, gpu_seconds=earlier_gpu + gpus * spent
            )
            writer.flush()  # before the checkpoint: a run killed in between repeats the epoch
            saver.save(folder / "last.pt", {**trainer.state_dict(), "name": name})
            wandb_log.log(TRIAL_ID, metrics)
            on_epoch(metrics, trainer.config.epochs)
    finally:
        saver.wait()
    writer.update_trial(TRIAL_ID, status="completed", ended_at=now())
