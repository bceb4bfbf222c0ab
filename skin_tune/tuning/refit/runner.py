"""The champion: an experiment's best config trained once more on a worker group, and tested once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skin_tune.errors import StoreError
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.model.network import load_weights
from skin_tune.results.report.model_card import CardFacts
from skin_tune.results.store.lock import lock_experiment
from skin_tune.results.store.notes import read_note, wrong_facts
from skin_tune.results.store.tables import record_test_opening
from skin_tune.storage.files import cannot_write
from skin_tune.training.checkpoint import load_run
from skin_tune.tuning.refit.artifacts import facts_of, write_refit
from skin_tune.tuning.refit.plan import RefitPlan, RefitRequest, plan_refit
from skin_tune.tuning.tracking.live_line import doing
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess

_MAX_FAILURES = 3
"""How often lost workers are replaced."""


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


def run_refit(
    request: RefitRequest, on_epoch: Callable[[Mapping[str, float], int], None] = lambda metrics, epochs: None
) -> Refit:
    """Train a trial's config on `request.workers` workers, then open the test split once and write what came of it.

    What was interrupted goes on from its last epoch; what is complete is returned as it is.
    """
    plan = plan_refit(request)
    lock = lock_experiment(plan.paths.storage, plan.region, request.experiment)
    try:
        complete = plan.folder / "metrics.json"
        if complete.is_file():
            return Refit(plan.model, plan.folder, _facts_in(complete), new=False)
        return _run(plan, on_epoch)
    except OSError as error:
        raise cannot_write(plan.folder, error) from None
    finally:
        lock.release()


def _facts_in(file: Path) -> CardFacts:
    content = read_note(file)
    try:
        if not wrong_facts(content):
            return CardFacts(**content)
    except TypeError:  # an entry is missing, or unknown
        pass
    raise StoreError(f"{str(file)!r} is not what this program writes of a refit; remove it to refit again")


def _run(plan: RefitPlan, on_epoch: Callable[[Mapping[str, float], int], None]) -> Refit:
    request = plan.request
    doing("fetching the starting weights" if plan.config.weights == "imagenet" else "checking the experiment")
    weights = {
        (plan.config.weights, plan.config.backbone): load_weights(plan.config.weights, plan.config.backbone),
    }
    doing("loading Ray")
    from skin_tune.tuning.refit import workers  # Ray takes seconds to import: not before the checks above
    from skin_tune.tuning.trial.context import TrialSetting

    last = plan.checkpoints / "last.pt"
    epochs = {row["epoch"]: row for row in (load_run(last)["history"] if last.is_file() else ())}
    wandb_process = WandbProcess(plan.paths.storage, request.wandb)
    wandb_log = WandbLog(wandb_process, plan.region, request.experiment)

    def start_run(trials: Sequence[str] = ()) -> None:
        wandb_log.start(plan.model, plan.config.to_dict(), list(epochs.values()))

    wandb_log.on_restart(start_run)
    start_run()

    def heard(metrics: Mapping[str, float]) -> None:
        epochs[int(metrics["epoch"])] = dict(metrics)
        wandb_log.log(plan.model, metrics)
        on_epoch(metrics, plan.config.epochs)

    status = "failed"
    try:
        with workers.on_cluster(request.workers, [plan.pack.path, plan.paths.results]) as resources:
            setting = TrialSetting.of(
                plan.pack, plan.paths.storage, request.experiment, plan.metric, include_val=request.include_val
            )
            ended = workers.train(setting, resources, weights, plan.config, plan.model, _MAX_FAILURES, heard)
            doing("grading the test split")
            record_test_opening(
                plan.paths.storage,
                plan.region,
                request.experiment,
                plan.model,
                command="refit",
                pack_id=plan.pack.info.pack_id,
            )
            evaluation = workers.on_one_worker(
                resources, evaluate_file, plan.checkpoints / "best.pt", plan.pack.path, "test", plan.pack.info.pack_id
            )
        seconds = sum(row["epoch_seconds"] for row in epochs.values())
        gpu_seconds = resources.gpus * request.workers * seconds
        facts = facts_of(plan, evaluation, ended, len(epochs), seconds, gpu_seconds)
        write_refit(plan, facts, evaluation)
        wandb_log.test(plan.model, facts.metrics, facts.confusion, plan.pack.classes)
        status = "completed"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        if status != "interrupted":  # else the run stays open, to be closed as one that goes on
            wandb_log.end(plan.model, {"status": status})
        said = wandb_process.close()
    return Refit(plan.model, plan.folder, facts, new=True, wandb=said)
