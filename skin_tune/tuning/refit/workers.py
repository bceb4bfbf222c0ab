"""A refit's work on the Ray cluster: a worker group that trains, one worker that tests."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import ray

from skin_tune.config import TrialConfig
from skin_tune.errors import ExperimentError, StoreError
from skin_tune.tuning import cluster, watch
from skin_tune.tuning.distributed import close_group, start_group
from skin_tune.tuning.live_line import doing
from skin_tune.tuning.preflight import check_seen_everywhere
from skin_tune.tuning.trial import OWN_ID, REGION, TrialSetting, WeightsTable, epoch_metrics, one_line
from skin_tune.wording import counted

_Result = TypeVar("_Result")


@contextmanager
def on_cluster(workers: int, paths: Sequence[Path]) -> Iterator[cluster.TrialResources]:
    """Join a cluster that has room for the workers and sees `paths`, or start one, and leave it at the end.

    Raises ClusterError.
    """
    doing("joining the Ray cluster" if os.environ.get("RAY_ADDRESS") else "starting Ray")
    cluster.connect(worker_groups=True)
    with watch.membership("the same command goes on with it"):
        check_seen_everywhere(paths)
        yield cluster.trial_resources(None, None, at_once=1, workers=workers)


def train(
    setting: TrialSetting,
    resources: cluster.TrialResources,
    weights: WeightsTable,
    config: TrialConfig,
    model: str,
    max_failures: int,
    on_epoch: Callable[[Mapping[str, float]], None],
) -> Mapping[str, Any]:
    """Train `config` to its last epoch, going on from the last checkpoint of `model` if there is one.

    Returns what was reported of the last epoch. Raises ExperimentError where training diverges or fails, StoreError
    where the storage cannot be written.
    """
    order = {**config.to_dict(), OWN_ID: model, REGION: setting.region}
    doing(f"starting {counted(resources.workers, 'worker')} and the first epoch")
    group = start_group({setting.region: setting}, weights, resources, max_failures)
    try:
        while True:
            result: Mapping[str, Any] = ray.get(group.carry_out.remote(order))
            if "status" in result:
                error = StoreError if result["fatal"] else ExperimentError
                raise error(f"refit {model!r} {result['status']}: {result['error']}")
            on_epoch(epoch_metrics(result))
            if result["done"]:
                return result
    except ray.exceptions.RayError as error:
        raise ExperimentError(f"refit {model!r} lost its workers: {_reason(error)}") from None
    finally:
        close_group(group)


def on_one_worker(resources: cluster.TrialResources, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """`function(*arguments)`, carried out where one of the workers would be."""
    task = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=0)(function)
    try:
        result: _Result = ray.get(task.remote(*arguments))
    except ray.exceptions.RayError as error:
        raise ExperimentError(f"the test split could not be evaluated: {_reason(error)}") from None
    return result


def _reason(error: Exception) -> str:
    return one_line(getattr(error, "cause", None) or error)
