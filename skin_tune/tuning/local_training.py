"""One config trained on this machine without a cluster: `skin-tune train`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import open_pack
from skin_tune.data.pack.uses import note_use
from skin_tune.errors import CheckpointError, ConfigError, ExperimentError
from skin_tune.inference.model_file import load_model
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.provenance import append_version, code_version, libraries
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.tables import ExperimentWriter
from skin_tune.storage.files import atomic_write, cannot_write
from skin_tune.storage.run_paths import RunPaths, check_experiment_name
from skin_tune.training.checkpoint import BackgroundSaver, load_run, save_checkpoint
from skin_tune.training.compatibility import check_compatibility
from skin_tune.training.device import hardware
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from skin_tune.tuning.experiment.spec import ExperimentSpec
from skin_tune.tuning.tracking.live_line import doing
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess, check_mode, run_id_given
from skin_tune.tuning.tracking.wandb_sync import write_again

_OLD_TRIAL_ID = "train"
"""What older versions called the trial of every training; now it has the name of its run."""


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
    """The wandb run to continue instead of the training's own."""


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
    state = load_run(request.resume) if request.resume is not None else None
    earlier = state["config"] if state is not None else {}
    config = TrialConfig.from_mapping({**earlier, **request.overrides})
    check_compatibility(config, pack)
    if state is not None and state["epoch"] >= config.epochs:
        raise CheckpointError(
            f"checkpoint {str(request.resume)!r} has run all {state['epoch']} of its epochs; "
            f"give epochs={state['epoch'] + 10} or so to go on"
        )
    run_id = request.wandb_id or run_id_given()
    own_name = (state or {}).get("name")
    name = check_experiment_name(request.name or own_name or f"{region}-{time.strftime('%Y%m%d-%H%M%S')}")
    paths = RunPaths(request.storage)
    if name != own_name and paths.experiment(region, name).exists():
        raise _name_in_use(paths, region, name)
    doing("building the network")
    trainer = Trainer(
        config,
        pack,
        device="cuda" if torch.cuda.is_available() else "cpu",
        metric=request.metric or (state or {}).get("metric", SELECTION_METRICS[0]),
        weights=None if state is None else {},  # a checkpoint brings its own
    )
    if request.resume is not None and state is not None:
        trainer.load_state_dict(state)
        if request.resume.resolve().parent.parent != paths.checkpoints(region, name, name).parent.resolve():
            load_model(request.resume.with_name("best.pt"))  # which is about to be copied
    pack.verify()
    writer = ExperimentWriter(request.storage, region, name)
    trial_id = _OLD_TRIAL_ID if writer.trial(_OLD_TRIAL_ID) else name
    folder = paths.checkpoints(region, name, trial_id)
    _start(writer, trainer, trial_id)
    note_use(pack, paths, name)
    wandb_process = WandbProcess(request.storage.resolve(), request.wandb)
    wandb_log = WandbLog(wandb_process, region, name)
    wandb_log.on_restart(partial(write_again, wandb_log, writer))
    wandb_log.start(trial_id, config.to_dict(), () if run_id else trainer.history, run_id)
    try:
        _asked(trainer).write(paths.spec(region, name))
        if request.resume is not None and request.resume.parent.resolve() != folder.resolve():
            with atomic_write(folder / "best.pt") as temporary:
                temporary.write_bytes(request.resume.with_name("best.pt").read_bytes())
        _run(trainer, writer, wandb_log, request.storage, name, trial_id, on_epoch)
    except OSError as error:
        raise cannot_write(folder, error) from None
    except torch.OutOfMemoryError:
        message = f"batch_size={config.batch_size} at image_size={config.image_size} needs more memory than the GPU has"
        writer.update_trial(trial_id, status="failed", error=message, ended_at=now())
        raise ConfigError(message) from None
    except TrainingDivergedError as error:
        writer.update_trial(trial_id, status="diverged", error=str(error), ended_at=now())
        raise
    finally:
        if writer.trial(trial_id)["status"] == "running":
            writer.update_trial(trial_id, status="interrupted")
        try:
            writer.flush()
        finally:
            writer.close()
            wandb_log.end(trial_id, writer.trial(trial_id))
            said = wandb_process.close()
    return TrainOutcome(name, trainer.epoch, trainer.best_epoch, trainer.best_metrics, folder, said)


def _name_in_use(paths: RunPaths, region: str, name: str) -> ExperimentError:
    resumable = sorted(paths.resumable(region, name))
    last = paths.checkpoints(region, name, resumable[0]) / "last.pt" if len(resumable) == 1 else None
    return ExperimentError(
        f"experiment {name!r} of {region} already exists below {str(paths.storage)!r}; "
        "give another --name" + (f", or resume it with --resume {last}" if last else "")
    )


def _asked(trainer: Trainer) -> ExperimentSpec:
    """What `refit`, `confirm` and the report need to know of an experiment: its pack, its metric, its class counts."""
    info, config = trainer.pack.info, trainer.config.to_dict()
    return ExperimentSpec(
        pack=str(trainer.pack.path.resolve()),
        pack_id=info.pack_id,
        seed=trainer.config.seed,
        trials=1,
        metric=trainer.metric,
        warm_start=[],
        space={"method": "one training by hand", **{name: str(value) for name, value in config.items()}},
        counts=info.counts,
    )


def _start(writer: ExperimentWriter, trainer: Trainer, trial_id: str) -> None:
    row = writer.trial(trial_id)
    fresh = {} if row else {"epochs": 0, "seconds": 0.0, "gpu_seconds": 0.0, "started_at": now()}
    writer.update_trial(
        trial_id,
        status="running",
        error=None,
        ended_at=None,
        seed=trainer.config.seed,
        pack_id=trainer.pack.info.pack_id,
        split_seed=trainer.pack.info.split_seed,
        **class_columns(trainer.pack.classes, trainer.pack.info.ordinal),
        code_version=append_version(row.get("code_version"), code_version()),
        libraries=append_version(row.get("libraries"), libraries()),
        hardware=append_version(row.get("hardware"), hardware(trainer.device)),
        **fresh,
        **{f"config/{name}": value for name, value in trainer.config.to_dict().items()},
    )


def _run(
    trainer: Trainer,
    writer: ExperimentWriter,
    wandb_log: WandbLog,
    storage: Path,
    name: str,
    trial_id: str,
    on_epoch: Callable[[Mapping[str, float], int], None],
) -> None:
    region = trainer.pack.info.region
    folder = RunPaths(storage).checkpoints(region, name, trial_id)
    row = writer.trial(trial_id)
    earlier, earlier_gpu = row.get("seconds") or 0.0, row.get("gpu_seconds") or 0.0
    started = time.monotonic()
    gpus = int(trainer.device.type == "cuda")
    saver = BackgroundSaver()
    doing("in the first epoch" if not trainer.epoch else f"in epoch {trainer.epoch + 1} of {trainer.config.epochs}")
    try:
        while not trainer.finished:
            metrics = trainer.run_epoch()
            writer.check()
            writer.add_epoch(trial_id, metrics)
            if trainer.improved:
                save_checkpoint(folder / "best.pt", trainer.model_state())
                if trainer.validation is not None:
                    write_predictions(storage, region, name, trial_id, "val", **trainer.validation.columns())
                writer.record_best(trial_id, metrics, str(folder / "best.pt"))
            spent = time.monotonic() - started
            writer.update_trial(
                trial_id, epochs=trainer.epoch, seconds=earlier + spent, gpu_seconds=earlier_gpu + gpus * spent
            )
            writer.flush()  # before the checkpoint: a run killed in between repeats the epoch
            saver.save(folder / "last.pt", {**trainer.state_dict(), "name": name})
            wandb_log.log(trial_id, metrics)
            on_epoch(metrics, trainer.config.epochs)
    finally:
        saver.wait()
    writer.update_trial(trial_id, status="completed", ended_at=now())
