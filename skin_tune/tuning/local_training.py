"""One config trained on this machine without a cluster: `skin-tune train`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from skin_tune.config import TrialConfig, canonical, unread
from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.uses import note_use
from skin_tune.errors import CheckpointError, ConfigError, ExperimentError
from skin_tune.inference.model_file import load_model
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.provenance import append_version, code_version, libraries
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.tables import ExperimentWriter
from skin_tune.storage.files import Location, atomic_write, cannot_write
from skin_tune.storage.run_paths import RunPaths, check_experiment_name
from skin_tune.training.checkpoint import BackgroundSaver, load_run, save_checkpoint
from skin_tune.training.compatibility import check_compatibility, check_network
from skin_tune.training.device import best_device
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from skin_tune.tuning.experiment.compiling import decide, images_of
from skin_tune.tuning.experiment.spec import ExperimentSpec
from skin_tune.tuning.tracking.live_line import announce, doing
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess
from skin_tune.tuning.tracking.wandb_settings import check_mode, run_id_given
from skin_tune.tuning.tracking.wandb_sync import write_again
from skin_tune.tuning.trial.stored_config import COLUMNS, columns_of

_OLD_TRIAL_ID = "train"
"""Trial id of every training in older versions; now it is the name of the run."""


@dataclass(frozen=True)
class TrainRequest:
    """Arguments of `train`."""

    pack: Location
    overrides: Mapping[str, Any] = field(default_factory=dict)
    storage: Location = Path("runs")
    name: str | None = None
    resume: Location | None = None
    metric: str | None = None
    """The metric that the best epoch is chosen by; None: the checkpoint's, or val_balanced_acc."""
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
    folder: Location
    wandb: str
    """Messages about the wandb run."""


def run_training(
    request: TrainRequest, on_epoch: Callable[[Mapping[str, float], int], None] = lambda metrics, epochs: None
) -> TrainOutcome:
    """Train to the last epoch, recording each in the store; `last.pt` and `best.pt` are kept as it goes.

    A resumed run takes the checkpoint's config, changed by the overrides, and keeps the checkpoint's name in `storage`
    unless a new name is given. Raises TrainingDivergedError where training fails.
    """
    check_mode(request.wandb)
    pack = open_pack(request.pack)
    state = load_run(request.resume) if request.resume is not None else None
    config = _config(request, state, pack)
    for line in unread(request.overrides, {name: [value] for name, value in config.to_dict().items()}):
        announce(line)
    run_id = request.wandb_id or run_id_given()
    name = _run_name(request, state, pack.info.region)
    trainer = _build_trainer(request, state, config, pack, name)
    pack.verify()
    run = _open_run(request, trainer, name)
    run.wandb_log.start(run.trial_id, canonical(config.to_dict()), () if run_id else trainer.history, run_id)
    message = _record(run, request.resume, on_epoch)
    return TrainOutcome(name, trainer.epoch, trainer.best_epoch, trainer.best_metrics, run.folder, message)


@dataclass(frozen=True)
class _Run:
    """A training and where it is recorded."""

    trainer: Trainer
    paths: RunPaths
    name: str
    trial_id: str
    writer: ExperimentWriter
    wandb_process: WandbProcess
    wandb_log: WandbLog

    @property
    def region(self) -> str:
        return self.trainer.pack.info.region

    @property
    def folder(self) -> Location:
        """Folder of its checkpoints."""
        return self.paths.checkpoints(self.region, self.name, self.trial_id)


def _config(request: TrainRequest, state: Mapping[str, Any] | None, pack: Pack) -> TrialConfig:
    stored = TrialConfig.from_stored(state["config"]).to_dict() if state else {}
    config = TrialConfig.from_mapping({**stored, **request.overrides})
    check_compatibility(config, pack)
    check_network(config)
    if state is not None and state["epoch"] >= config.epochs:
        raise CheckpointError(
            f"checkpoint {str(request.resume)!r} has run all {state['epoch']} of its epochs; "
            f"give epochs={state['epoch'] + 10} or so to train on"
        )
    return config


def _run_name(request: TrainRequest, state: Mapping[str, Any] | None, region: str) -> str:
    """Raises ExperimentError for a name that another run has."""
    stored_name = (state or {}).get("name")
    name = check_experiment_name(request.name or stored_name or f"{region}-{time.strftime('%Y%m%d-%H%M%S')}")
    paths = RunPaths(request.storage)
    if name != stored_name and paths.experiment(region, name).exists():
        raise _name_in_use(paths, region, name)
    return name


def _build_trainer(
    request: TrainRequest, state: dict[str, Any] | None, config: TrialConfig, pack: Pack, name: str
) -> Trainer:
    """The Trainer, where its checkpoint left it if there is one."""
    doing("building the network")
    device = best_device()
    trainer = Trainer(
        config,
        pack,
        device=device,
        metric=request.metric or (state or {}).get("metric", SELECTION_METRICS[0]),
        weights=None if state is None else {},  # a checkpoint brings its own
        compiling_pays=device.type == "cuda" and decide([config], images_of(config, pack)),
    )
    if request.resume is not None and state is not None:
        trainer.load_state_dict(state)
        own = RunPaths(request.storage).checkpoints(pack.info.region, name, name)
        if request.resume.resolve().parent.parent != own.parent.resolve():
            load_model(request.resume.with_name("best.pt"))  # which is about to be copied
    return trainer


def _open_run(request: TrainRequest, trainer: Trainer, name: str) -> _Run:
    region = trainer.pack.info.region
    writer = ExperimentWriter(request.storage, region, name)
    trial_id = _OLD_TRIAL_ID if writer.trial(_OLD_TRIAL_ID) else name
    _write_row(writer, trainer, trial_id)
    paths = RunPaths(request.storage)
    note_use(trainer.pack, paths, name)
    wandb_process = WandbProcess(request.storage.resolve(), request.wandb)
    wandb_log = WandbLog(wandb_process, region, name)
    wandb_log.on_restart(partial(write_again, wandb_log, writer))
    return _Run(trainer, paths, name, trial_id, writer, wandb_process, wandb_log)


def _record(run: _Run, resume: Location | None, on_epoch: Callable[[Mapping[str, float], int], None]) -> str:
    """Train to the end, and close store and wandb run however that goes; what there is to know of the wandb run."""
    writer, trial_id, config = run.writer, run.trial_id, run.trainer.config
    try:
        _spec(run.trainer).write(run.paths.spec(run.region, run.name))
        if resume is not None and resume.parent.resolve() != run.folder.resolve():
            with atomic_write(run.folder / "best.pt") as temporary:
                temporary.write_bytes(resume.with_name("best.pt").read_bytes())
        _train(run, on_epoch)
    except OSError as error:
        raise cannot_write(run.folder, error) from None
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
            run.wandb_log.end(trial_id, writer.trial(trial_id))
            closing_message = run.wandb_process.close()
    return closing_message


def _name_in_use(paths: RunPaths, region: str, name: str) -> ExperimentError:
    resumable = sorted(paths.resumable(region, name))
    last = paths.checkpoints(region, name, resumable[0]) / "last.pt" if len(resumable) == 1 else None
    return ExperimentError(
        f"experiment {name!r} of {region} already exists below {str(paths.storage)!r}; "
        "give another --name" + (f", or resume it with --resume {last}" if last else "")
    )


def _spec(trainer: Trainer) -> ExperimentSpec:
    """The spec that `refit`, `confirm` and the report read: pack, metric, class counts."""
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


def _write_row(writer: ExperimentWriter, trainer: Trainer, trial_id: str) -> None:
    writer.set_types(COLUMNS)
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
        metric=trainer.metric,
        code_version=append_version(row.get("code_version"), code_version()),
        libraries=append_version(row.get("libraries"), libraries()),
        hardware=append_version(row.get("hardware"), trainer.hardware),
        **fresh,
        **columns_of(trainer.config.to_dict()),
    )


def _train(run: _Run, on_epoch: Callable[[Mapping[str, float], int], None]) -> None:
    trainer, writer, trial_id, folder = run.trainer, run.writer, run.trial_id, run.folder
    row = writer.trial(trial_id)
    earlier, earlier_gpu = row.get("seconds") or 0.0, row.get("gpu_seconds") or 0.0
    failure = ""
    started = time.monotonic()
    gpus = int(trainer.device.type == "cuda")
    saver = BackgroundSaver()
    doing("in the first epoch" if not trainer.epoch else f"in epoch {trainer.epoch + 1} of {trainer.config.epochs}")
    try:
        while not trainer.finished:
            metrics = trainer.run_epoch()
            if trainer.not_compiled != failure:
                failure = trainer.not_compiled
                announce(f"the network is not compiled: {failure}")
            writer.check()
            writer.add_epoch(trial_id, metrics)
            if trainer.improved:
                save_checkpoint(folder / "best.pt", trainer.model_state())
                if trainer.validation is not None:
                    columns = trainer.validation.columns()
                    write_predictions(run.paths.storage, run.region, run.name, trial_id, "val", **columns)
                writer.record_best(trial_id, metrics, str(folder / "best.pt"))
            spent = time.monotonic() - started
            writer.update_trial(
                trial_id,
                epochs=trainer.epoch,
                seconds=earlier + spent,
                gpu_seconds=earlier_gpu + gpus * spent,
                hardware=append_version(writer.trial(trial_id)["hardware"], trainer.hardware),
            )
            writer.flush()  # before the checkpoint: a run killed in between repeats the epoch
            saver.save(folder / "last.pt", {**trainer.state_dict(), "name": run.name})
            run.wandb_log.log(trial_id, metrics)
            on_epoch(metrics, trainer.config.epochs)
    finally:
        saver.wait()
    writer.update_trial(trial_id, status="completed", ended_at=now())
