"""Whether every node of the cluster sees what trials read and write."""

from collections.abc import Sequence
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from skin_tune.errors import ClusterError
from skin_tune.storage.files import Location
from skin_tune.text.escaping import one_line
from skin_tune.tuning.tracking.live_line import doing

_SECONDS = 120
"""How long a node may take to start a process and look."""


def check_seen_everywhere(paths: Sequence[Location]) -> None:
    """Raise ClusterError where a node that is there now lacks one of `paths`."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if len(nodes) == 1:
        return
    doing(f"asking {len(nodes)} nodes whether they see the pack and the storage")
    look = ray.remote(num_cpus=0, max_retries=0)(_unseen)
    asked = [
        (node, look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)))
        for node in nodes
    ]
    answers = [(node, there.remote(list(paths))) for node, there in asked]
    for node, answer in answers:
        try:
            unseen: Any = ray.get(answer, timeout=_SECONDS)
        except (ray.exceptions.RayError, TimeoutError):  # it has gone, or is busy: trials will tell
            continue
        if unseen:
            raise ClusterError(
                f"node {node['NodeManagerAddress']} does not see {unseen}; packs and --storage must be in a folder "
                "that all nodes share, or in a bucket (s3://...)"
            )


def _unseen(paths: Sequence[Location]) -> str:
    """The first of `paths` that this machine does not see, or nothing."""
    for path in paths:
        try:
            if not path.exists():
                return repr(str(path))
        except OSError as error:
            return f"{str(path)!r} ({one_line(error)})"
    return ""
