"""A refit's work on the Ray cluster: a worker group that trains, one worker that tests."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import ray

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack
from skin_tune.errors import ExperimentError, StoreError
from skin_tune.tuning import cluster
from skin_tune.tuning.distributed import close_group, start_group
from skin_tune.tuning.trial import OWN_ID, TrialSetting, WeightsTable, epoch_metrics

_Result = TypeVar("_Result")


@contextmanager
def on_cluster(
    workers: int, *, pack: Pack, storage: Path, experiment: str, metric: str, include_val: bool
) -> Iterator[TrialSetting]:
    """Join a cluster that has room for the workers, or start one, and leave it at the end. Raises ClusterError."""
    cluster.connect(worker_groups=True)
    try:
        resources = cluster.trial_resources(None, None, at_once=1, workers=workers)
        yield TrialSetting(
            pack=pack.path,
            pack_id=pack.info.pack_id,
            storage=storage,
            region=pack.info.region,
            experiment=experiment,
            metric=metric,
            cpus=resources.cpus,
            gpus=resources.gpus,
            workers=workers,
            include_val=include_val,
        )
    finally:
        ray.shutdown()


def train(
    setting: TrialSetting,
    weights: WeightsTable,
    config: TrialConfig,
    model: str,
    max_failures: int,
    on_epoch: Callable[[Mapping[str, float]], None],
) -> int:
    """Train `config` to its last epoch, going on from the last checkpoint of `model` if there is one; the best epoch.

    Raises ExperimentError where training diverges or fails, StoreError where the storage cannot be written.
    """
    group = start_group(setting, weights, max_failures)
    try:
        while True:
            result = ray.get(group.carry_out.remote({**config.to_dict(), OWN_ID: model}))
            if "status" in result:
                error = StoreError if result["fatal"] else ExperimentError
                raise error(f"refit {model!r} {result['status']}: {result['error']}")
            on_epoch(epoch_metrics(result))
            if result["done"]:
                return int(result["best_epoch"])
    except ray.exceptions.RayError as error:
        raise ExperimentError(f"refit {model!r} lost its workers: {error}") from None
    finally:
        close_group(group)


def on_one_worker(setting: TrialSetting, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """`function(*arguments)`, carried out where a worker of `setting` would be."""
    task = ray.remote(num_cpus=setting.cpus, num_gpus=setting.gpus)(function)
    result: _Result = ray.get(task.remote(*arguments))
    return result
