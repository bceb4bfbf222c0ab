"""The champion: an experiment's best config trained once more on a worker group, and tested once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skin_tune.errors import StoreError
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.model.network import load_weights
from skin_tune.results.report.model_card import CardFacts
from skin_tune.results.store.lock import lock_experiment
from skin_tune.results.store.notes import note_as, wrong_facts
from skin_tune.results.store.tables import record_test_opening
from skin_tune.storage.files import Location, cannot_write
from skin_tune.training.checkpoint import load_run
from skin_tune.training.evaluation import Evaluation
from skin_tune.tuning.refit.artifacts import facts_of, write_refit
from skin_tune.tuning.refit.plan import RefitPlan, RefitRequest, plan_refit
from skin_tune.tuning.tracking.live_line import doing
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess
from skin_tune.tuning.trial.context import TrialSetting

_MAX_FAILURES = 3
"""How often lost workers are replaced."""


@dataclass(frozen=True)
class Refit:
    """A refitted model: its folder holds `model.pt` and what the model card says of it."""

    model: str
    folder: Location
    facts: CardFacts
    new: bool
    """False where it had been there already, and nothing was trained or opened."""
    wandb: str = ""
    """Messages about the wandb run."""


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


def _facts_in(file: Location) -> CardFacts:
    if facts := note_as(CardFacts, file, wrong_facts):
        return facts
    raise StoreError(f"{str(file)!r} is not what this program writes of a refit; remove it to refit again")


def _run(plan: RefitPlan, on_epoch: Callable[[Mapping[str, float], int], None]) -> Refit:
    log = _RefitLog(plan)
    status = "failed"
    try:
        facts, evaluation = _train_and_test(plan, log, on_epoch)
        write_refit(plan, facts, evaluation)
        log.wandb.test(plan.model, facts.metrics, facts.confusion, plan.pack.classes)
        status = "completed"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        message = log.close(status)
    return Refit(plan.model, plan.folder, facts, new=True, wandb=message)


class _RefitLog:
    """The epochs of a refit, those before an interruption included, and its wandb run."""

    def __init__(self, plan: RefitPlan):
        self._plan = plan
        last = plan.checkpoints / "last.pt"
        self.epochs = {row["epoch"]: row for row in (load_run(last)["history"] if last.is_file() else ())}
        self._process = WandbProcess(plan.paths.storage, plan.request.wandb)
        self.wandb = WandbLog(self._process, plan.region, plan.request.experiment)
        self.wandb.on_restart(self._start)
        self._start()

    @property
    def seconds(self) -> float:
        return sum(row["epoch_seconds"] for row in self.epochs.values())

    def add(self, metrics: Mapping[str, float]) -> None:
        self.epochs[int(metrics["epoch"])] = dict(metrics)
        self.wandb.log(self._plan.model, metrics)

    def close(self, status: str) -> str:
        """Close the wandb run, unless the refit was interrupted and will continue it; messages about the run."""
        if status != "interrupted":
            self.wandb.end(self._plan.model, {"status": status})
        return self._process.close()

    def _start(self, trials: Sequence[str] = ()) -> None:
        self.wandb.start(self._plan.model, self._plan.config.to_dict(), list(self.epochs.values()))


def _train_and_test(
    plan: RefitPlan, log: _RefitLog, on_epoch: Callable[[Mapping[str, float], int], None]
) -> tuple[CardFacts, Evaluation]:
    request, pack = plan.request, plan.pack
    doing("fetching the starting weights" if plan.config.weights == "imagenet" else "checking the experiment")
    weights = {
        (plan.config.weights, plan.config.backbone): load_weights(plan.config.weights, plan.config.backbone),
    }
    doing("loading Ray")
    from skin_tune.tuning.refit import workers  # takes seconds: not before the checks

    def hear(metrics: Mapping[str, float]) -> None:
        log.add(metrics)
        on_epoch(metrics, plan.config.epochs)

    setting = TrialSetting.of(
        pack, plan.paths.storage, request.experiment, plan.metric, include_val=request.include_val
    )
    with workers.on_cluster(request.workers, [pack.path, plan.paths.results]) as resources:
        ended = workers.train(setting, resources, weights, plan.config, plan.model, _MAX_FAILURES, hear)
        doing("grading the test split")
        pack_id = pack.info.pack_id
        record_test_opening(
            plan.paths.storage, plan.region, request.experiment, plan.model, command="refit", pack_id=pack_id
        )
        best = plan.checkpoints / "best.pt"
        evaluation = workers.on_one_worker(resources, evaluate_file, best, pack.path, "test", pack_id)
    gpu_seconds = resources.gpus * request.workers * log.seconds
    return facts_of(plan, evaluation, ended, len(log.epochs), log.seconds, gpu_seconds), evaluation
