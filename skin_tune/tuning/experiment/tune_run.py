"""The trials of one or several experiments in one Ray Tune run."""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner
from ray.tune.experiment import Trial
from ray.tune.stopper import CombinedStopper

from skin_tune.errors import ClusterError, ClusterLostError
from skin_tune.storage.files import cannot_write
from skin_tune.storage.scratch import ScratchFolder
from skin_tune.text.escaping import one_line
from skin_tune.tuning.backend import cluster_watch
from skin_tune.tuning.backend.actor_failures import be_patient, ray_error_of
from skin_tune.tuning.backend.resources import TrialResources, room_for, trial_resources
from skin_tune.tuning.backend.shared_storage import check_seen_everywhere
from skin_tune.tuning.backend.trainable import trainable_class
from skin_tune.tuning.experiment.budget import budgets_of
from skin_tune.tuning.experiment.budget_stopper import BudgetStopper
from skin_tune.tuning.experiment.compiling import decide_for
from skin_tune.tuning.experiment.plan import Experiment, Plan
from skin_tune.tuning.experiment.region_run import RegionRun, region_run, searcher_of, targets_of
from skin_tune.tuning.search.asha import rungs_of
from skin_tune.tuning.search.multi_region import RegionCallbacks, RegionScheduler, RegionSearcher, RegionTargets
from skin_tune.tuning.tracking.live_line import LiveLine, announce, live_line
from skin_tune.tuning.tracking.progress_callback import ProgressCallback
from skin_tune.tuning.tracking.tensorboard_callback import TensorboardCallback, TensorboardExperiment
from skin_tune.tuning.tracking.wandb_client import WandbProcess
from skin_tune.tuning.trial.context import REGION, TRIAL_ID, WeightsTable


def run_trials(experiments: Sequence[Experiment], weights: WeightsTable, *, in_order: bool = False) -> None:
    """Run what is left of experiments of different regions, or until Ctrl-C, recording into their writers.

    The first one's request decides what concerns the whole run. The cluster has been joined.
    Raises ClusterError, before any trial starts, where it cannot hold one.
    """
    first = experiments[0].plan
    try:
        with cluster_watch.membership(first.how_to_resume), live_line("preparing the trials") as line:
            resources = _resources(experiments)
            plans = [experiment.plan for experiment in experiments]
            check_seen_everywhere([path for plan in plans for path in (plan.pack.path, plan.spec_file)])
            _run_tune(experiments, resources, weights, in_order, line)  # leaving the block ends what still runs
    except OSError as error:
        raise cannot_write(first.paths.storage, error) from None


def _resources(experiments: Sequence[Experiment]) -> TrialResources:
    """Resources of each trial. Raises ClusterError where the cluster does not have them."""
    request = experiments[0].plan.request
    to_run = sum(experiment.plan.to_run for experiment in experiments)
    at_once = min(to_run, request.concurrent or to_run)
    resources = trial_resources(request.cpus_per_trial, request.gpus_per_trial, at_once, request.workers_per_trial)
    if request.gpu_hours is not None and not resources.gpus:
        raise ClusterError(
            f"--gpu-hours {request.gpu_hours:g} cannot be counted: trials hold no GPU; see --time-budget"
        )
    return resources


def _run_tune(
    experiments: Sequence[Experiment], resources: TrialResources, weights: WeightsTable, in_order: bool, line: LiveLine
) -> None:
    first = experiments[0].plan
    wandb_process = WandbProcess(first.paths.storage, first.request.wandb)
    targets = targets_of(experiments)
    pays = _compiling_pays([experiment.plan for experiment in experiments], resources)
    runs = [region_run(experiment, wandb_process, targets, resources, pays) for experiment in experiments]
    writers = {run.region: run.writer for run in runs}
    metric = first.space.metric if len(runs) == 1 else None
    progress = ProgressCallback(writers, metric, sum(run.plan.trials for run in runs), line)
    tensorboard = _tensorboard(runs)
    notes = ScratchFolder("ray")  # what Ray writes down for itself
    budgets = BudgetStopper(budgets_of(first.request), list(writers.values()))
    tuner = Tuner(
        tune.with_resources(
            trainable_class({run.region: run.setting for run in runs}, weights, resources, first.request.max_failures),
            resources.of_trial(),
        ),
        tune_config=_tune_config(runs, targets, resources, in_order),
        run_config=RunConfig(
            name=first.name,
            storage_path=str(notes.path),
            stop=CombinedStopper(targets, budgets),
            callbacks=[RegionCallbacks({run.region: run.store for run in runs}), progress, *tensorboard],
            **_settings(first),
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
        raise ClusterLostError(f"Ray has ended the run: {one_line(cause)}; {first.how_to_resume}") from None
    finally:
        progress.close()
        try:
            for run in runs:
                run.store.save(force=True)
        finally:
            notes.remove()
            for message in wandb_process.close().splitlines():
                announce(message)
            for events in tensorboard:  # last: a full disk is told of by the store
                events.close()


def _compiling_pays(plans: Sequence[Plan], resources: TrialResources) -> bool:
    if not resources.gpus or resources.workers > 1:
        return False
    places = min(room_for(resources), plans[0].request.concurrent or sys.maxsize, sum(plan.trials for plan in plans))
    return decide_for(plans, places)


def _settings(plan: Plan) -> dict[str, Any]:
    """What Ray's run is told whatever it runs: checkpoints are the trials' own, and lines `progress`'s."""
    return {
        "failure_config": FailureConfig(max_failures=plan.request.max_failures),
        "checkpoint_config": CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        "verbose": 0,
    }


def _tensorboard(runs: Sequence[RegionRun]) -> list[TensorboardCallback]:
    """The callback that writes event files, if it is asked for."""
    if not runs[0].plan.request.tensorboard:
        return []
    experiments = [TensorboardExperiment(run.plan.paths, run.region, run.plan.name, run.writer) for run in runs]
    return [TensorboardCallback(experiments)]


def _tune_config(
    runs: Sequence[RegionRun], targets: RegionTargets, resources: TrialResources, in_order: bool
) -> TuneConfig:
    request = runs[0].plan.request
    to_run = {run.region: run.plan.to_run for run in runs}
    searcher = RegionSearcher(
        {run.region: searcher_of(run, runs) for run in runs},
        to_run,
        room=partial(room_for, resources),
        in_order=in_order,
        starts_none=targets.starts_none,
        used_up=_say_used_up,
    )
    rungs = {run.region: rungs_of(run.plan.space, run.plan.history) for run in runs}
    return TuneConfig(
        metric=runs[0].plan.space.metric,
        mode="max",
        num_samples=sum(to_run.values()),
        search_alg=searcher,
        scheduler=RegionScheduler(rungs, targets.starts_none),
        max_concurrent_trials=min(filter(None, (request.concurrent, resources.room)), default=None),
        time_budget_s=request.time_budget,
        reuse_actors=True,
        trial_dirname_creator=_dirname,
    )


def _say_used_up(region: str) -> None:
    announce(f"{region}: every config that its space draws has been run; the search ends")


def _dirname(trial: Trial) -> str:
    return f"{trial.config[REGION]}-{trial.config[TRIAL_ID]}"
