"""Clusters of one node with two CPUs; one is shared by tests, as to start it takes longer than most of them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster


@pytest.fixture(scope="session")
def new_cluster() -> Iterator[Callable[[], Cluster]]:
    """Starts a cluster in the environment of the moment, with the dashboard that worker groups need."""
    clusters = []

    def start() -> Cluster:
        dashboard = {"include_dashboard": True, "dashboard_port": None}  # any free one
        node = {"num_cpus": 2, "object_store_memory": 1 << 30, **dashboard}
        clusters.append(Cluster(initialize_head=True, head_node_args=node))
        (Path(os.environ["RAY_TMPDIR"]) / "ray" / "ray_current_cluster").unlink()  # commands join it only where told to
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.shutdown()


@pytest.fixture(scope="session")
def one_cluster(new_cluster: Callable[[], Cluster]) -> Cluster:
    return new_cluster()


@pytest.fixture(scope="module")
def shared_cluster(one_cluster: Cluster) -> Iterator[Cluster]:
    """What the commands of a module join."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_ADDRESS", one_cluster.address)
        yield one_cluster
