"""A training on this machine, and how it is recorded: store, checkpoints and wandb run."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.data.pack.uses import note_use
from skin_tune.errors import ConfigError
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.provenance import append_version, code_version, libraries
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import Location, atomic_write, cannot_write
from skin_tune.storage.run_paths import RunPaths
from skin_tune.training.checkpoint import BackgroundSaver, save_checkpoint
from skin_tune.training.device import best_device
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from skin_tune.tuning.experiment.compiling import decide, images_of
from skin_tune.tuning.experiment.spec import ExperimentSpec
from skin_tune.tuning.tracking.live_line import announce, doing
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess
from skin_tune.tuning.tracking.wandb_sync import write_again
from skin_tune.tuning.trial.stored_config import COLUMNS, columns_of

_OLD_TRIAL_ID = "train"
"""Trial id of every training in older versions; now it is the name of the run."""


@dataclass(frozen=True)
class LocalRun:
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
    def experiment(self) -> Location:
        """Folder of all that is its own but for the rows of the store."""
        return self.paths.experiment(self.region, self.name)

    @property
    def folder(self) -> Location:
        """Folder of its checkpoints."""
        return self.paths.checkpoints(self.region, self.name, self.trial_id)


def build_trainer(config: TrialConfig, pack: Pack, metric: str | None, state: dict[str, Any] | None) -> Trainer:
    """The Trainer, where the `state` of a checkpoint left it if there is one; `metric` None is the checkpoint's."""
    doing("building the network")
    device = best_device()
    trainer = Trainer(
        config,
        pack,
        device=device,
        metric=metric or (state or {}).get("metric", SELECTION_METRICS[0]),
        weights=None if state is None else {},  # a checkpoint brings its own
        compiling_pays=device.type == "cuda" and decide([config], images_of(config, pack)),
    )
    if state is not None:
        trainer.load_state_dict(state)
    return trainer


def open_run(storage: Location, trainer: Trainer, name: str, wandb: str | None) -> LocalRun:
    """Take the experiment `name` in the store; `wandb` is a mode, None as wandb is configured.

    Raises StoreError where it cannot be written or another writer is alive.
    """
    region = trainer.pack.info.region
    writer = ExperimentWriter(storage, region, name)
    trial_id = _OLD_TRIAL_ID if writer.trial(_OLD_TRIAL_ID) else name
    _write_row(writer, trainer, trial_id)
    paths = RunPaths(storage)
    note_use(trainer.pack, paths, name)
    wandb_process = WandbProcess(storage.resolve(), wandb)
    wandb_log = WandbLog(wandb_process, region, name)
    wandb_log.on_restart(partial(write_again, wandb_log, writer))
    return LocalRun(trainer, paths, name, trial_id, writer, wandb_process, wandb_log)


def record(run: LocalRun, resume: Location | None, on_epoch: Callable[[Mapping[str, float], int], None]) -> str:
    """Train to the end, and close store and wandb run however that goes; what there is to know of the wandb run."""
    writer, trial_id, config = run.writer, run.trial_id, run.trainer.config
    try:
        _spec(run.trainer).write(run.paths.spec(run.region, run.name))
        if resume is not None and resume.parent.resolve() != run.folder.resolve():
            with atomic_write(run.folder / "best.pt", run.experiment) as temporary:
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


def _train(run: LocalRun, on_epoch: Callable[[Mapping[str, float], int], None]) -> None:
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
                save_checkpoint(folder / "best.pt", trainer.model_state(), run.experiment)
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
            saver.save(folder / "last.pt", {**trainer.state_dict(), "name": run.name}, run.experiment)
            run.wandb_log.log(trial_id, metrics)
            on_epoch(metrics, trainer.config.epochs)
    finally:
        saver.wait()
    writer.update_trial(trial_id, status="completed", ended_at=now())
