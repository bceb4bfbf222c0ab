"""The champion: an experiment's best config trained once more, and tested once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skin_tune.errors import StoreError
from skin_tune.inference.combination import combined_content
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.model.network import load_weights
from skin_tune.results.report.card_facts import CardFacts
from skin_tune.results.store.lock import lock_experiment
from skin_tune.results.store.notes import note_as, wrong_facts
from skin_tune.results.store.tables import record_test_opening
from skin_tune.storage.files import Location, cannot_write
from skin_tune.training.checkpoint import load_run, save_checkpoint
from skin_tune.training.evaluation import Evaluation
from skin_tune.tuning.experiment.compiling import decide, images_of
from skin_tune.tuning.refit.artifacts import facts_of, write_refit
from skin_tune.tuning.refit.plan import Member, RefitPlan, RefitRequest, plan_refit
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
    """The epochs of a refit, those before an interruption included, and its wandb run.

    The epochs of a combination are those of its members, one after the other.
    """

    def __init__(self, plan: RefitPlan):
        self._plan = plan
        self.epochs: dict[int, Mapping[str, float]] = {}
        for member in plan.members:
            last = plan.checkpoints_of(member.model) / "last.pt"
            for metrics in load_run(last)["history"] if last.is_file() else ():
                self._keep(member, metrics)
        self._process = WandbProcess(plan.paths.storage, plan.request.wandb)
        self.wandb = WandbLog(self._process, plan.region, plan.request.experiment)
        self.wandb.on_restart(self._start)
        self._start()

    @property
    def seconds(self) -> float:
        return sum(row["epoch_seconds"] for row in self.epochs.values())

    def add(self, member: Member, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Log an epoch of a member; returns its metrics with its number among all epochs."""
        numbered = self._keep(member, metrics)
        self.wandb.log(self._plan.model, numbered)
        return numbered

    def _keep(self, member: Member, metrics: Mapping[str, float]) -> Mapping[str, float]:
        number = member.epochs_before + int(metrics["epoch"])
        self.epochs[number] = {**metrics, "epoch": number}
        return self.epochs[number]

    def close(self, status: str) -> str:
        """Close the wandb run, unless the refit was interrupted and will continue it; messages about the run."""
        if status != "interrupted":
            self.wandb.end(self._plan.model, {"status": status})
        return self._process.close()

    def _start(self, trials: Sequence[str] = ()) -> None:
        self.wandb.start(self._plan.model, self._plan.hyper_parameters, list(self.epochs.values()))


def _train_and_test(
    plan: RefitPlan, log: _RefitLog, on_epoch: Callable[[Mapping[str, float], int], None]
) -> tuple[CardFacts, Evaluation]:
    request, pack = plan.request, plan.pack
    wanted = {(member.config.weights, member.config.backbone) for member in plan.members}
    fetched = any(name == "imagenet" for name, _ in wanted)
    doing("fetching the starting weights" if fetched else "checking the experiment")
    weights = {(name, backbone): load_weights(name, backbone) for name, backbone in sorted(wanted)}
    doing("loading Ray")
    from skin_tune.tuning.refit.workers import (  # takes seconds: not before the checks
        on_cluster,
        on_one_of,
        started,
        train,
    )

    def hear(member: Member, metrics: Mapping[str, float]) -> None:
        on_epoch(log.add(member, metrics), plan.epochs)

    with (
        on_cluster(request.workers, [pack.path, plan.paths.results]) as resources,
        started(_setting(plan, compiling=resources.gpus > 0), resources, weights, _MAX_FAILURES) as workers,
    ):
        ended = train(workers, pack.info.region, plan.members, hear)
        best = plan.checkpoints / "best.pt"
        if len(plan.members) > 1:
            files = [plan.checkpoints_of(member.model) / "best.pt" for member in plan.members]
            save_checkpoint(best, combined_content(files, plan.metric))
        doing("grading the test split")
        pack_id = pack.info.pack_id
        record_test_opening(
            plan.paths.storage, plan.region, request.experiment, plan.model, command="refit", pack_id=pack_id
        )
        evaluation = on_one_of(workers, evaluate_file, best, pack.path, "test", pack_id)
    gpu_seconds = resources.gpus * request.workers * log.seconds
    return facts_of(plan, evaluation, ended[0], len(log.epochs), log.seconds, gpu_seconds), evaluation


def _setting(plan: RefitPlan, *, compiling: bool) -> TrialSetting:
    """The setting of its networks; `compiling` where they could be compiled."""
    request, configs = plan.request, [member.config for member in plan.members]
    images = sum(images_of(config, plan.pack, include_val=request.include_val) for config in configs)
    return TrialSetting.of(
        plan.pack,
        plan.paths.storage,
        request.experiment,
        plan.metric,
        include_val=request.include_val,
        compiling_pays=compiling and request.workers == 1 and decide(configs, images),
    )
