"""The trials of one experiment on Ray Tune."""

import ray
from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner

from skin_tune.data.pack import Pack
from skin_tune.paths import RunPaths
from skin_tune.results.store import ExperimentWriter
from skin_tune.tuning import cluster
from skin_tune.tuning.experiment import TuneRequest
from skin_tune.tuning.progress import ProgressCallback
from skin_tune.tuning.scheduler import build_scheduler
from skin_tune.tuning.search import SpaceSearcher
from skin_tune.tuning.space import Space
from skin_tune.tuning.tracking import StoreCallback
from skin_tune.tuning.trial import TrialSetting, TuneTrial, WeightsTable


def run_trials(
    request: TuneRequest,
    space: Space,
    pack: Pack,
    name: str,
    trials: int,
    weights: WeightsTable,
    writer: ExperimentWriter,
) -> bool:
    """Run `trials` trials, recording into `writer`. Returns whether Ctrl-C cut them short."""
    cluster.connect()
    at_once = min(trials, request.concurrent or trials)
    resources = cluster.trial_resources(request.cpus_per_trial, request.gpus_per_trial, at_once)
    storage = request.storage.resolve()
    region = pack.info.region
    setting = TrialSetting(pack.path, storage, region, name, space.metric, resources.cpus)
    searcher = SpaceSearcher(space, request.seed)
    trainable = tune.with_parameters(TuneTrial, setting=setting, weights=weights)
    tuner = Tuner(
        tune.with_resources(trainable, {"CPU": resources.cpus, "GPU": resources.gpus}),
        tune_config=TuneConfig(
            metric=space.metric,
            mode="max",
            num_samples=trials,
            search_alg=searcher,
            scheduler=build_scheduler(space),
            max_concurrent_trials=request.concurrent,
            time_budget_s=request.time_budget,
            reuse_actors=True,
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(RunPaths(storage).experiments(region)),
            failure_config=FailureConfig(max_failures=0),
            checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            callbacks=[
                StoreCallback(writer, pack.info.pack_id, resources.gpus),
                ProgressCallback(writer, space.metric, trials),
            ],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except KeyboardInterrupt:
        return True
    finally:
        ray.shutdown()  # ends what is still running, too
    return False
