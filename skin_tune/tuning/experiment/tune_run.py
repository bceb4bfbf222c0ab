"""The trials of one or several experiments in one Ray Tune run."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, Stopper, TuneConfig, Tuner
from ray.tune.experiment import Trial
from ray.tune.stopper import CombinedStopper

from skin_tune.errors import ClusterError, ClusterLostError, StoreError
from skin_tune.results.store import ExperimentWriter
from skin_tune.scratch import ScratchFolder
from skin_tune.tuning import cluster, watch
from skin_tune.tuning.cluster import TrialResources
from skin_tune.tuning.distributed import DistributedTrial
from skin_tune.tuning.experiment import Experiment
from skin_tune.tuning.journal import Journal
from skin_tune.tuning.live_line import LiveLine, doing, live_line
from skin_tune.tuning.patience import be_patient, ray_error_of
from skin_tune.tuning.plan import Plan
from skin_tune.tuning.preflight import check_seen_everywhere
from skin_tune.tuning.progress import ProgressCallback
from skin_tune.tuning.scheduler import rungs_of
from skin_tune.tuning.search import SpaceSearcher
from skin_tune.tuning.together import RegionCallbacks, RegionScheduler, RegionSearcher, RegionTargets
from skin_tune.tuning.tracking import StoreCallback
from skin_tune.tuning.trial import OWN_ID, REGION, Settings, TrialSetting, TuneTrial, WeightsTable, one_line
from skin_tune.tuning.wandb_log import WandbLog, WandbProcess
from skin_tune.tuning.warm import Units, chosen_once


def run_trials(experiments: Sequence[Experiment], weights: WeightsTable, *, in_order: bool = False) -> None:
    """Run what is left of the experiments, one of each region, or until Ctrl-C, recording into their writers.

    What concerns the run as a whole is taken from the first one's request. Raises ClusterError, before any trial
    starts, where the cluster cannot hold one.
    """
    first = experiments[0].plan
    doing("joining the Ray cluster" if os.environ.get("RAY_ADDRESS") else "starting Ray")
    cluster.connect(worker_groups=first.request.workers_per_trial > 1, gpus=first.request.gpus_per_trial != 0)
    try:
        with watch.membership(_how_to_go_on(first)), live_line("preparing the trials") as line:
            _run_on_cluster(experiments, weights, in_order, line)  # leaving ends what is still running, too
    except OSError as error:
        raise StoreError(f"cannot write to {str(first.paths.storage)!r}: {error.strerror or error}") from None


def _run_on_cluster(experiments: Sequence[Experiment], weights: WeightsTable, in_order: bool, line: LiveLine) -> None:
    plans = {experiment.plan.region: experiment.plan for experiment in experiments}
    writers = {experiment.plan.region: experiment.writer for experiment in experiments}
    to_run = {region: plan.to_run for region, plan in plans.items()}
    first = experiments[0].plan
    request, storage = first.request, first.paths
    at_once = min(sum(to_run.values()), request.concurrent or sum(to_run.values()))
    resources = cluster.trial_resources(
        request.cpus_per_trial, request.gpus_per_trial, at_once, request.workers_per_trial
    )
    if request.gpu_hours is not None and not resources.gpus:
        raise ClusterError(
            f"--gpu-hours {request.gpu_hours:g} cannot be counted: trials hold no GPU; see --time-budget"
        )
    check_seen_everywhere([path for plan in plans.values() for path in (plan.pack.path, plan.asked_file)])
    settings = {region: _setting(plan) for region, plan in plans.items()}
    targets = RegionTargets({region: plan.space for region, plan in plans.items()})
    budgets = [GpuBudget(request.gpu_hours, list(writers.values()))] if request.gpu_hours is not None else []
    wandb_process = WandbProcess(storage.storage, request.wandb)
    journals = {region: Journal(plan.paths.search_journal(region, plan.name)) for region, plan in plans.items()}
    stores = {
        region: StoreCallback(
            writers[region],
            settings[region],
            WandbLog(wandb_process, region, plan.name),
            journals[region],
            plan.request.keep_checkpoints,
            resources.gpus * resources.workers,
            partial(targets.has_ended, region),
            plan.pack,
        )
        for region, plan in plans.items()
    }
    progress = ProgressCallback(
        writers, first.space.metric if len(plans) == 1 else None, sum(plan.trials for plan in plans.values()), line
    )
    searchers = {region: _searcher(plan, journals[region], list(stores.values())) for region, plan in plans.items()}
    rungs = {region: rungs_of(plan.space, plan.history) for region, plan in plans.items()}
    notes = ScratchFolder("ray")  # what Ray writes down for itself
    tuner = Tuner(
        tune.with_resources(_trainable(settings, weights, resources, request.max_failures), resources.of_trial()),
        tune_config=TuneConfig(
            metric=first.space.metric,
            mode="max",
            num_samples=sum(to_run.values()),
            search_alg=RegionSearcher(
                searchers,
                to_run,
                room=partial(cluster.room_for, resources),
                in_order=in_order,
                has_ended=targets.has_ended,
            ),
            scheduler=RegionScheduler(rungs, targets.has_ended),
            max_concurrent_trials=min(filter(None, (request.concurrent, resources.room)), default=None),
            time_budget_s=request.time_budget,
            reuse_actors=True,
            trial_dirname_creator=_dirname,
        ),
        run_config=RunConfig(
            name=first.name,
            storage_path=str(notes.path),
            stop=CombinedStopper(targets, *budgets),
            failure_config=FailureConfig(max_failures=request.max_failures),
            checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            callbacks=[RegionCallbacks(stores), progress],
            verbose=0,
        ),
    )
    be_patient()
    try:
        tuner.fit()
    except KeyboardInterrupt:
        pass  # what has been recorded stands, and the rest can be resumed
    except Exception as error:
        if (cause := ray_error_of(error)) is None:
            raise
        raise ClusterLostError(f"Ray has ended the run: {one_line(cause)}; {_how_to_go_on(first)}") from None
    finally:
        progress.close()
        try:
            for store in stores.values():
                store.save(force=True)
        finally:
            notes.remove()
            if said := wandb_process.close():
                print(said, file=sys.stderr)


class GpuBudget(Stopper):
    """Ends a run once its experiments, earlier runs of theirs included, have held GPUs for so many hours."""

    def __init__(self, hours: float, writers: Sequence[ExperimentWriter]):
        self._seconds, self._writers = 3600 * hours, writers

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        spent = sum(row.get("gpu_seconds") or 0.0 for writer in self._writers for row in writer.trials())
        return spent >= self._seconds


def _how_to_go_on(plan: Plan) -> str:
    return "the same command goes on with it" if plan.configs else f"--name {plan.name} --resume goes on with it"


def _setting(plan: Plan) -> TrialSetting:
    return TrialSetting.of(plan.pack, plan.paths.storage, plan.name, plan.space.metric)


def _searcher(plan: Plan, journal: Journal, stores: Sequence[StoreCallback]) -> SpaceSearcher:
    def choose() -> Sequence[Units]:
        for store in stores:  # the siblings may be among them
            store.save(force=True)
        return plan.best_of_siblings()

    def warm_start() -> Sequence[Units]:
        if not plan.request.warm_start:
            return ()
        return chosen_once(plan.paths.warm_start(plan.region, plan.name), choose)

    return SpaceSearcher(
        plan.space,
        plan.request.seed,
        plan.name,
        journal.file,
        taken=plan.taken,
        unfinished=plan.unfinished,
        warm_start=warm_start,
    )


def _trainable(settings: Settings, weights: WeightsTable, resources: TrialResources, max_failures: int) -> Any:
    if resources.workers == 1:
        return tune.with_parameters(TuneTrial, settings=settings, weights=weights, cpus=resources.cpus)
    return tune.with_parameters(
        DistributedTrial, settings=settings, weights=weights, resources=resources, max_failures=max_failures
    )


def _dirname(trial: Trial) -> str:
    return f"{trial.config[REGION]}-{trial.config[OWN_ID]}"
