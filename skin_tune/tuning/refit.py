"""The champion: an experiment's best config trained once more on a worker group, and tested once."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack
from skin_tune.errors import ExperimentError, PackError, StoreError
from skin_tune.evidence import code_version, libraries
from skin_tune.model.network import load_weights
from skin_tune.paths import RunPaths, atomic_write, refit_name, remove_tree
from skin_tune.results.card import CardFacts, model_card
from skin_tune.results.lock import lock_experiment
from skin_tune.results.predictions import write_predictions
from skin_tune.results.store import load_test_openings, record_test_opening
from skin_tune.training.checkpoint import load_checkpoint
from skin_tune.training.evaluation import Evaluation, evaluate_file
from skin_tune.training.metrics import class_table, metrics_of
from skin_tune.training.trainer import check_fit
from skin_tune.tuning.known import KnownExperiment, config_of, find_experiment
from skin_tune.tuning.wandb_log import WandbLog, WandbProcess, check_mode

_MAX_FAILURES = 3
"""How often lost workers are replaced."""


@dataclass(frozen=True)
class RefitRequest:
    """What `refit` was asked for."""

    experiment: str
    region: str | None = None
    """Needed where several regions have an experiment of that name."""
    trial: str | None = None
    """The trial whose config is trained; None: the best."""
    include_val: bool = False
    """Train on the validation images, too; the model is then that of the last epoch."""
    workers: int = 1
    pack: Path | None = None
    """None: where it was when the experiment started."""
    storage: Path = Path("runs")
    wandb: str | None = None


@dataclass(frozen=True)
class Refit:
    """A refitted model: its folder holds `model.pt` and what the model card says of it."""

    model: str
    folder: Path
    facts: CardFacts
    new: bool
    """False where it had been there already, and nothing was trained or opened."""
    wandb: str = ""
    """What there is to know of the wandb run."""


@dataclass(frozen=True)
class _Plan:
    request: RefitRequest
    paths: RunPaths
    region: str
    trial: str
    metric: str
    config: TrialConfig
    pack: Pack
    trials: int
    """How many the experiment had."""

    @property
    def model(self) -> str:
        return refit_name(self.trial, include_val=self.request.include_val)

    @property
    def folder(self) -> Path:
        return self.paths.refit(self.region, self.request.experiment, self.model)

    @property
    def checkpoints(self) -> Path:
        return self.paths.checkpoints(self.region, self.request.experiment, self.model)


def run_refit(
    request: RefitRequest, on_epoch: Callable[[Mapping[str, float], int], None] = lambda metrics, epochs: None
) -> Refit:
    """Train a trial's config on `request.workers` workers, then open the test split once and write what came of it.

    What was interrupted goes on from its last epoch; what is complete is returned as it is.
    """
    plan = _checked(request)
    lock = lock_experiment(plan.paths.lock(plan.region, request.experiment), request.experiment)
    try:
        complete = plan.folder / "metrics.json"
        if complete.is_file():
            return Refit(plan.model, plan.folder, CardFacts(**json.loads(complete.read_text())), new=False)
        return _run(plan, on_epoch)
    except OSError as error:
        raise StoreError(f"cannot write to {str(plan.folder)!r}: {error.strerror or error}") from None
    finally:
        lock.release()


def _checked(request: RefitRequest) -> _Plan:
    check_mode(request.wandb)
    if request.workers < 1:
        raise ExperimentError(f"--workers {request.workers} is below 1")
    known = find_experiment(request.storage, request.experiment, request.region, request.pack)
    row = _chosen(known, request.trial)
    pack = known.open_pack(row)
    if not len(pack.indices("test")):
        raise PackError(f"pack {str(pack.path)!r} has no test image; prepare it with another --split")
    config = config_of(row)
    check_fit(config, pack, request.workers, include_val=request.include_val)
    return _Plan(
        request=request,
        paths=known.paths,
        region=known.region,
        trial=row["trial_id"],
        metric=known.metric,
        config=config,
        pack=pack,
        trials=len(known.trials),
    )


def _chosen(known: KnownExperiment, trial: str | None) -> Mapping[Any, Any]:
    """The row of the trial to refit: the best one's, or that of `trial`."""
    usable = known.usable()
    if trial is None:
        return usable.iloc[0].to_dict()
    if trial not in set(known.trials["trial_id"]):
        raise ExperimentError(f"experiment {known.name!r} has no trial {trial!r}")
    chosen = usable[usable["trial_id"] == trial]
    if chosen.empty:
        raise ExperimentError(f"trial {trial!r} diverged, failed or ran no epoch: there is no config to refit")
    return chosen.iloc[0].to_dict()


def _run(plan: _Plan, on_epoch: Callable[[Mapping[str, float], int], None]) -> Refit:
    request = plan.request
    weights = {
        (plan.config.weights, plan.config.backbone): load_weights(plan.config.weights, plan.config.backbone),
    }
    from skin_tune.tuning import refit_workers  # Ray takes seconds to import: not before the checks above
    from skin_tune.tuning.trial import TrialSetting

    last = plan.checkpoints / "last.pt"
    epochs = {row["epoch"]: row for row in (load_checkpoint(last)["history"] if last.is_file() else ())}
    wandb_process = WandbProcess(plan.paths.storage, request.wandb)
    wandb_log = WandbLog(wandb_process, plan.region, request.experiment)
    wandb_log.start(plan.model, plan.config.to_dict(), list(epochs.values()))

    def heard(metrics: Mapping[str, float]) -> None:
        epochs[int(metrics["epoch"])] = dict(metrics)
        wandb_log.log(plan.model, metrics)
        on_epoch(metrics, plan.config.epochs)

    status = "failed"
    try:
        with refit_workers.on_cluster(request.workers, [plan.pack.path, plan.paths.results]) as resources:
            setting = TrialSetting(
                pack=plan.pack.path,
                pack_id=plan.pack.info.pack_id,
                storage=plan.paths.storage,
                region=plan.region,
                experiment=request.experiment,
                metric=plan.metric,
                split_seed=plan.pack.info.split_seed,
                include_val=request.include_val,
            )
            ended = refit_workers.train(setting, resources, weights, plan.config, plan.model, _MAX_FAILURES, heard)
            record_test_opening(
                plan.paths.storage,
                plan.region,
                request.experiment,
                plan.model,
                command="refit",
                pack_id=plan.pack.info.pack_id,
            )
            evaluation = refit_workers.on_one_worker(
                resources, evaluate_file, plan.checkpoints / "best.pt", plan.pack.path, "test"
            )
        seconds = sum(row["epoch_seconds"] for row in epochs.values())
        gpu_seconds = resources.gpus * request.workers * seconds
        facts = _facts(plan, evaluation, ended, len(epochs), seconds, gpu_seconds)
        _write(plan, facts, evaluation)
        wandb_log.test(plan.model, facts.metrics, facts.confusion, plan.pack.classes)
        status = "completed"
    finally:
        wandb_log.end(plan.model, {"status": status})
        said = wandb_process.close()
    return Refit(plan.model, plan.folder, facts, new=True, wandb=said)


def _facts(
    plan: _Plan,
    evaluation: Evaluation,
    ended: Mapping[str, Any],
    epochs: int,
    seconds: float,
    gpu_seconds: float,
) -> CardFacts:
    info, request = plan.pack.info, plan.request
    scores = metrics_of(evaluation.confusion, plan.pack.classes)
    openings = load_test_openings(plan.paths.storage, plan.region)
    trained_on = ("train", "val") if request.include_val else ("train",)
    classes = [
        {
            "class": row["class"],
            "train_images": int(train_images),
            "test_images": row["images"],
            **{name: _defined(row[name]) for name in ("precision", "recall", "f1")},
        }
        for row, train_images in zip(
            class_table(evaluation.confusion, plan.pack.classes), plan.pack.class_counts(*trained_on), strict=True
        )
    ]
    return CardFacts(
        model=plan.model,
        region=plan.region,
        experiment=request.experiment,
        trial=plan.trial,
        trained_on=" and ".join(trained_on),
        epochs=epochs,
        best_epoch=int(ended["best_epoch"]),
        workers=request.workers,
        seconds=seconds,
        gpu_seconds=gpu_seconds,
        pack_id=info.pack_id,
        split=f"split {'/'.join(map(str, info.split_ratios))} by subject with seed {info.split_seed}",
        trials=plan.trials,
        metric=plan.metric,
        test_openings=int((openings["pack_id"] == info.pack_id).sum()),
        metrics={
            "test_loss": evaluation.loss,
            **{f"test_{name}": _defined(value) for name, value in scores.items()},
        },
        classes=classes,
        confusion=evaluation.confusion.tolist(),
        config=plan.config.to_dict(),
        code_version=code_version(),
        libraries=libraries(),
        hardware=ended["hardware"],
    )


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _write(plan: _Plan, facts: CardFacts, evaluation: Evaluation) -> None:
    """The files of a refit; `metrics.json`, which says that it is complete, last."""
    write_predictions(
        plan.paths.storage,
        plan.region,
        plan.request.experiment,
        plan.model,
        "test",
        **evaluation.columns(),
    )
    with atomic_write(plan.folder / "model.pt") as temporary:
        temporary.write_bytes((plan.checkpoints / "best.pt").read_bytes())
    texts = {
        "config.json": json.dumps(facts.config, indent=1),
        "classes.json": json.dumps(plan.pack.classes),
        "model_card.md": model_card(facts),
        "metrics.json": json.dumps(asdict(facts), indent=1),
    }
    for name, text in texts.items():
        with atomic_write(plan.folder / name) as temporary:
            temporary.write_text(text)
    remove_tree(plan.checkpoints)
