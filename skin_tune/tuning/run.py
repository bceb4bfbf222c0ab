"""The trials of one experiment on Ray Tune."""

import sys
from typing import Any

import ray
from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner
from ray.tune.experiment import Trial

from skin_tune.errors import StoreError
from skin_tune.results.store import ExperimentWriter
from skin_tune.tuning import cluster
from skin_tune.tuning.distributed import DistributedTrial
from skin_tune.tuning.experiment import Plan
from skin_tune.tuning.progress import ProgressCallback
from skin_tune.tuning.scheduler import build_scheduler
from skin_tune.tuning.search import SpaceSearcher
from skin_tune.tuning.tracking import StoreCallback
from skin_tune.tuning.trial import OWN_ID, TrialSetting, TuneTrial, WeightsTable
from skin_tune.tuning.wandb_log import WandbLog


def run_trials(plan: Plan, weights: WeightsTable, writer: ExperimentWriter) -> None:
    """Run what is left of an experiment, or until Ctrl-C, recording into `writer`.

    Raises ClusterError, before any trial starts, where the cluster cannot hold one.
    """
    request, space = plan.request, plan.space
    cluster.connect(worker_groups=request.workers_per_trial > 1)
    at_once = min(plan.to_run, request.concurrent or plan.to_run)
    resources = cluster.trial_resources(
        request.cpus_per_trial, request.gpus_per_trial, at_once, request.workers_per_trial
    )
    setting = TrialSetting(
        pack=plan.pack.path,
        pack_id=plan.pack.info.pack_id,
        storage=plan.paths.storage,
        region=plan.region,
        experiment=plan.name,
        metric=space.metric,
        cpus=resources.cpus,
        gpus=resources.gpus,
        workers=resources.workers,
    )
    searcher = SpaceSearcher(
        space,
        request.seed,
        plan.name,
        plan.paths.search_journal(plan.region, plan.name),
        started=plan.started,
        unfinished=plan.unfinished,
    )
    wandb_log = WandbLog(plan.paths.storage, plan.region, plan.name, request.wandb)
    store = StoreCallback(writer, setting, wandb_log, request.keep_checkpoints)
    progress = ProgressCallback(writer, space.metric, plan.trials)
    tuner = Tuner(
        tune.with_resources(_trainable(setting, weights, request.max_failures), resources.of_trial()),
        tune_config=TuneConfig(
            metric=space.metric,
            mode="max",
            num_samples=plan.to_run,
            search_alg=searcher,
            scheduler=build_scheduler(space, plan.history),
            max_concurrent_trials=min(filter(None, (request.concurrent, resources.room)), default=None),
            time_budget_s=request.time_budget,
            reuse_actors=True,
            trial_dirname_creator=_own_id,
        ),
        run_config=RunConfig(
            name=plan.name,
            storage_path=str(plan.paths.experiments(plan.region)),
            failure_config=FailureConfig(max_failures=request.max_failures),
            checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            callbacks=[store, progress],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except KeyboardInterrupt:
        pass  # what has been recorded stands, and the rest can be resumed
    except OSError as error:
        raise StoreError(f"cannot write to {str(plan.paths.storage)!r}: {error.strerror or error}") from None
    finally:
        progress.close()
        try:
            if writer.flush(force=True):
                store.drop_ended()
        finally:
            ray.shutdown()  # ends what is still running, too
            if said := wandb_log.close():
                print(said, file=sys.stderr)


def _trainable(setting: TrialSetting, weights: WeightsTable, max_failures: int) -> Any:
    if setting.workers == 1:
        return tune.with_parameters(TuneTrial, setting=setting, weights=weights)
    return tune.with_parameters(DistributedTrial, setting=setting, weights=weights, max_failures=max_failures)


def _own_id(trial: Trial) -> str:
    return str(trial.config[OWN_ID])
