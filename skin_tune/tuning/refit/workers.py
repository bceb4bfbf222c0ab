"""A refit's work on the Ray cluster: workers that train, one worker that tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from skin_tune.errors import ExperimentError, StoreError
from skin_tune.storage.files import Location
from skin_tune.text.wording import counted
from skin_tune.tuning.backend import cluster, cluster_watch
from skin_tune.tuning.backend.lost_workers import WorkersLostError
from skin_tune.tuning.backend.resources import TrialResources, trial_resources
from skin_tune.tuning.backend.shared_storage import check_seen_everywhere
from skin_tune.tuning.backend.workers import Workers, start_workers
from skin_tune.tuning.refit.plan import Member
from skin_tune.tuning.tracking.live_line import announce, doing
from skin_tune.tuning.trial.context import REGION, TRIAL_ID, TrialSetting, WeightsTable
from skin_tune.tuning.trial.result import epoch_metrics

_Result = TypeVar("_Result")


@contextmanager
def on_cluster(workers: int, paths: Sequence[Location]) -> Iterator[TrialResources]:
    """Join a cluster that has room for the workers and sees `paths`, or start one; leave it at the end.

    Raises ClusterError.
    """
    cluster.connect(worker_groups=workers > 1)
    with cluster_watch.membership("the same command resumes it"):
        check_seen_everywhere(paths)
        yield trial_resources(None, None, at_once=1, workers=workers)


@contextmanager
def started(
    setting: TrialSetting, resources: TrialResources, weights: WeightsTable, max_failures: int
) -> Iterator[Workers]:
    """The workers for the length of the block."""
    doing(f"starting {counted(resources.workers, 'worker')} and the first epoch")
    with start_workers({setting.region: setting}, weights, resources, max_failures) as workers:
        yield workers


def train(
    workers: Workers, region: str, members: Sequence[Member], on_epoch: Callable[[Member, Mapping[str, float]], None]
) -> list[Mapping[str, Any]]:
    """Train the config of each member to its last epoch, from its last checkpoint if there is one.

    Returns the results of their last epochs. Raises ExperimentError where training diverges or fails, StoreError where
    the storage cannot be written.
    """
    try:
        return [_trained(member, region, workers.train_epoch, partial(on_epoch, member)) for member in members]
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
        if result.get("not_compiled") and result["epoch"] == 1:
            announce(f"the network is not compiled: {result['not_compiled']}")
        on_epoch(epoch_metrics(result))
        if result["done"]:
            return result


def on_one_of(workers: Workers, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """`function(*arguments)`, run by one of the workers."""
    try:
        return workers.run(function, *arguments)
    except WorkersLostError as error:
        raise ExperimentError(f"the test split could not be evaluated: {error}") from None
