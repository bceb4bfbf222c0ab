"""One config trained on this machine without a cluster: `skin-tune train`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig, canonical, unread
from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.errors import CheckpointError, ExperimentError
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths, check_experiment_name
from skin_tune.training.checkpoint_file import check_is_file
from skin_tune.training.compatibility import check_compatibility, check_metric, check_network
from skin_tune.tuning.tracking.live_line import announce, doing
from skin_tune.tuning.tracking.wandb_settings import check_mode, run_id_given


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
    state = _state(request)
    config = _config(request, state, pack)
    for line in unread(request.overrides, {name: [value] for name, value in config.to_dict().items()}):
        announce(line)
    run_id = request.wandb_id or run_id_given()
    name = _run_name(request, state, pack.info.region)
    if request.metric is not None:
        check_metric(request.metric, pack)
    doing("loading PyTorch")
    from skin_tune.tuning.local_run import build_trainer, open_run, record  # loads torch: not before the checks above

    trainer = build_trainer(config, pack, request.metric, state)
    _check_best(request, pack.info.region, name)
    pack.verify()
    run = open_run(request.storage, trainer, name, request.wandb)
    run.wandb_log.start(run.trial_id, canonical(config.to_dict()), () if run_id else trainer.history, run_id)
    message = record(run, request.resume, on_epoch)
    return TrainOutcome(name, trainer.epoch, trainer.best_epoch, trainer.best_metrics, run.folder, message)


def _state(request: TrainRequest) -> dict[str, Any] | None:
    """What the checkpoint to be resumed holds."""
    if request.resume is None:
        return None
    check_is_file(request.resume)
    doing("loading PyTorch")
    from skin_tune.training.checkpoint import load_run

    return load_run(request.resume)


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


def _check_best(request: TrainRequest, region: str, name: str) -> None:
    """Raise where a checkpoint of another run has no `best.pt` beside it, which is about to be copied."""
    if request.resume is None:
        return
    from skin_tune.inference.model_file import load_model

    own = RunPaths(request.storage).checkpoints(region, name, name)
    if request.resume.resolve().parent.parent != own.parent.resolve():
        load_model(request.resume.with_name("best.pt"))


def _name_in_use(paths: RunPaths, region: str, name: str) -> ExperimentError:
    resumable = sorted(paths.resumable(region, name))
    last = paths.checkpoints(region, name, resumable[0]) / "last.pt" if len(resumable) == 1 else None
    return ExperimentError(
        f"experiment {name!r} of {region} already exists below {str(paths.storage)!r}; "
        "give another --name" + (f", or resume it with --resume {last}" if last else "")
    )
