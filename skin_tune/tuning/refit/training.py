"""Training a champion's config, and the one opening of the test split that follows."""

from collections.abc import Callable, Mapping

from skin_tune.inference.combination import combined_content
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.model.network import load_weights
from skin_tune.results.report.card_facts import CardFacts
from skin_tune.results.store.writer import record_test_opening
from skin_tune.training.checkpoint import save_checkpoint
from skin_tune.training.evaluation import Evaluation
from skin_tune.tuning.experiment.compiling import decide, images_of
from skin_tune.tuning.refit.artifacts import facts_of, write_refit
from skin_tune.tuning.refit.plan import Member, RefitPlan
from skin_tune.tuning.refit.wandb_log import RefitLog
from skin_tune.tuning.tracking.live_line import doing
from skin_tune.tuning.trial.context import TrialSetting

_MAX_FAILURES = 3
"""How often lost workers are replaced."""


def train_champion(plan: RefitPlan, on_epoch: Callable[[Mapping[str, float], int], None]) -> tuple[CardFacts, str]:
    """Train, test once and write what came of it; with messages about the wandb run."""
    log = RefitLog(plan)
    status = "failed"
    try:
        facts, evaluation = _train_and_test(plan, log, on_epoch)
        write_refit(plan, facts, evaluation)
        log.result(facts)
        status = "completed"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        message = log.close(status)
    return facts, message


def _train_and_test(
    plan: RefitPlan, log: RefitLog, on_epoch: Callable[[Mapping[str, float], int], None]
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
            save_checkpoint(
                best, combined_content(files, plan.metric), plan.paths.experiment(plan.region, request.experiment)
            )
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
