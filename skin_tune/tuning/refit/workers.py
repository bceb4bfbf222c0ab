"""A refit's work on the Ray cluster: a worker group that trains, one worker that tests."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from skin_tune.errors import ExperimentError, StoreError
from skin_tune.storage.files import Location
from skin_tune.text.wording import counted
from skin_tune.tuning.backend import cluster, cluster_watch
from skin_tune.tuning.backend.resources import TrialResources, trial_resources
from skin_tune.tuning.backend.shared_storage import check_seen_everywhere
from skin_tune.tuning.backend.worker_group import WorkersLostError, run_on_worker, worker_group
from skin_tune.tuning.refit.plan import Member
from skin_tune.tuning.tracking.live_line import doing
from skin_tune.tuning.trial.context import REGION, TRIAL_ID, TrialSetting, WeightsTable
from skin_tune.tuning.trial.epochs import epoch_metrics

_Result = TypeVar("_Result")


@contextmanager
def on_cluster(workers: int, paths: Sequence[Location]) -> Iterator[TrialResources]:
    """Join a cluster that has room for the workers and sees `paths`, or start one; leave it at the end.

    Raises ClusterError.
    """
    doing("joining the Ray cluster" if os.environ.get("RAY_ADDRESS") else "starting Ray")
    cluster.connect(worker_groups=True)
    with cluster_watch.membership("the same command resumes it"):
        check_seen_everywhere(paths)
        yield trial_resources(None, None, at_once=1, workers=workers)


def train(
    setting: TrialSetting,
    resources: TrialResources,
    weights: WeightsTable,
    members: Sequence[Member],
    max_failures: int,
    on_epoch: Callable[[Member, Mapping[str, float]], None],
) -> list[Mapping[str, Any]]:
    """Train the config of each member to its last epoch, from its last checkpoint if there is one.

    Returns the results of their last epochs. Raises ExperimentError where training diverges or fails, StoreError where
    the storage cannot be written.
    """
    doing(f"starting {counted(resources.workers, 'worker')} and the first epoch")
    try:
        with worker_group({setting.region: setting}, weights, resources, max_failures) as train_epoch:
            return [_trained(member, setting.region, train_epoch, partial(on_epoch, member)) for member in members]
    except WorkersLostError as error:
        raise ExperimentError(f"refit lost its workers: {error}") from None


def _trained(
    member: Member,
    region: str,
    train_epoch: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    on_epoch: Callable[[Mapping[str, float]], None],
) -> Mapping[str, Any]:
    tune_config = {**member.config.to_dict(), TRIAL_ID: member.model, REGION: region}
    while True:
        result = train_epoch(tune_config)
        if "status" in result:
            error = StoreError if result["fatal"] else ExperimentError
            raise error(f"refit {member.model!r} {result['status']}: {result['error']}")
        on_epoch(epoch_metrics(result))
        if result["done"]:
            return result


def on_one_worker(resources: TrialResources, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """`function(*arguments)`, run where one of the workers would be."""
    try:
        return run_on_worker(resources, function, *arguments)
    except WorkersLostError as error:
        raise ExperimentError(f"the test split could not be evaluated: {error}") from None
