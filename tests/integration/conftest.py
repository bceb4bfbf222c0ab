"""Clusters of one node with two CPUs; one is shared by tests, as to start it takes longer than most of them."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from skin_tune.tuning.backend.bare_node import bare_node


@contextlib.contextmanager
def cluster_of_two_cpus(*, dashboard: bool = False) -> Iterator[Cluster]:
    """A cluster in the environment of the moment; only one with the dashboard runs trials of several workers.

    What belongs to the dashboard takes a tenth of a core as long as it is up, even if nothing runs.
    """
    node = {"num_cpus": 2, "object_store_memory": 1 << 30, "include_dashboard": dashboard, "dashboard_port": None}
    with contextlib.nullcontext() if dashboard else bare_node():
        cluster = Cluster(initialize_head=True, head_node_args=node)  # whose dashboard has any free port
    (Path(os.environ["RAY_TMPDIR"]) / "ray" / "ray_current_cluster").unlink()  # commands join it only where told to
    try:
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture
def own_cluster() -> Iterator[Callable[[], Cluster]]:
    """Starts a cluster in the environment of the moment, which ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(cluster_of_two_cpus())


@pytest.fixture(scope="session")
def one_cluster() -> Iterator[Cluster]:
    with cluster_of_two_cpus() as cluster:
        yield cluster


def joined(cluster: Cluster) -> Iterator[Cluster]:
    """Have commands join it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_ADDRESS", cluster.address)
        yield cluster


@pytest.fixture(scope="module")
def shared_cluster(one_cluster: Cluster) -> Iterator[Cluster]:
    """What the commands of a module join."""
    yield from joined(one_cluster)


@pytest.fixture(scope="module")
def cluster_with_dashboard() -> Iterator[Cluster]:
    """What the commands of a module join that runs trials of several workers."""
    with cluster_of_two_cpus(dashboard=True) as cluster:
        yield from joined(cluster)
