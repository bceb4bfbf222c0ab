"""Resources of a trial on the Ray cluster."""

import math
from dataclasses import dataclass
from pathlib import Path

import ray
import yaml

from skin_tune.errors import ClusterError
from skin_tune.tuning.tracking.live_line import announce

_BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""Where `ray up` puts the cluster file on the head."""


@dataclass(frozen=True)
class TrialResources:
    """Resources that one trial holds while it runs."""

    cpus: int
    """CPUs of each worker."""
    gpus: float
    """GPUs of each worker, whole or a share of one."""
    workers: int = 1
    room: int | None = None
    """How many trials of several workers the cluster holds at a time; of single workers Tune keeps count itself."""

    def of_trial(self) -> dict[str, float]:
        """Resources that Tune reserves for a trial: none for several workers, which request their own."""
        if self.workers > 1:
            return {"memory": 1.0}  # Tune refuses an empty request
        return {"CPU": self.cpus, "GPU": self.gpus}


def trial_resources(cpus: int | None, gpus: float | None, at_once: int, workers: int = 1) -> TrialResources:
    """Fill in what was not asked for, and check that the cluster can hold a trial.

    `cpus` and `gpus` are of a whole trial. By default each worker gets a GPU where there is one, with its share of that
    node's CPUs; without GPUs the nodes' CPUs are dealt out to the workers of the `at_once` trials that run side by
    side. Nodes that an autoscaler may still add count where those that are there do not suffice. Raises ClusterError
    where a trial does not fit.
    """
    if cpus is not None and (cpus < workers or cpus % workers):
        raise ClusterError(f"--cpus-per-trial {cpus} is not a positive multiple of {workers}, the workers of a trial")
    if gpus is not None and (gpus < 0 or (gpus > 1 and not float(gpus).is_integer())):
        raise ClusterError(f"--gpus-per-trial {gpus} is neither a share in [0, 1] nor a whole number")
    if gpus and workers > 1 and gpus != workers:
        raise ClusterError(
            f"--gpus-per-trial {gpus:g} with --workers-per-trial {workers}: each worker needs a whole GPU of its own, "
            f"so it must be {workers}, or 0 for none"
        )
    here = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    to_come = nodes_to_come()
    if gpus is None:
        gpus = float(any(node.get("GPU", 0) >= 1 for node in here + to_come))
    elif workers > 1:
        gpus = gpus / workers
    nodes = here
    if to_come and sum(_places(node, (cpus or workers) // workers, gpus) for node in here) < workers:
        announce("the cluster has no room for a trial yet: waiting for its autoscaler to add nodes")
        nodes = to_come
    able = [node for node in nodes if node.get("GPU", 0) >= gpus and node.get("CPU", 0) >= 1]
    if not able:
        most = max((node.get("GPU", 0) for node in nodes), default=0)
        raise ClusterError(f"--gpus-per-trial {gpus:g} is more than any node has; the largest has {most:g}")
    if cpus is None:
        cpus = max(1, min(_cpu_share(node, gpus, at_once * workers, len(able)) for node in able))
    else:
        cpus = cpus // workers
    most_cpus = max(node.get("CPU", 0) for node in able)
    if cpus > most_cpus:
        raise ClusterError(
            f"--cpus-per-trial {cpus * workers} is more than any node has; the largest has {most_cpus:g}"
        )
    if workers == 1:
        return TrialResources(cpus, gpus)
    places = sum(_places(node, cpus, gpus) for node in able)
    if places < workers:
        each = f"{cpus} CPU" + (f" and {gpus:g} GPU" if gpus else "")
        raise ClusterError(
            f"--workers-per-trial {workers} needs {workers} times {each}; the cluster has room for {places}"
        )
    grown = sum(_places(node, cpus, gpus) for node in to_come)
    return TrialResources(cpus, gpus, workers, max(places, grown) // workers)


def room_for(resources: TrialResources) -> int:
    """How many trials the cluster holds at a time, once it has grown as far as it may."""
    here = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    places = max(
        sum(_places(node, resources.cpus, resources.gpus) for node in nodes) for nodes in (here, nodes_to_come())
    )
    return places // resources.workers


def nodes_to_come() -> list[dict[str, float]]:
    """Resources of each node there may be once an autoscaler has added all it may; none without an autoscaler.

    Known on the head of a cluster that `ray up` made, which is where jobs run.
    """
    file = _BOOTSTRAP.expanduser()
    if not file.is_file():
        return []
    config = yaml.safe_load(file.read_text())
    kinds = config.get("available_node_types") or {}
    nodes = [
        {name: float(amount) for name, amount in (kind.get("resources") or {}).items()}
        for kind in kinds.values()
        for _ in range(kind.get("max_workers") or 0)
    ]
    return sorted(nodes, key=lambda node: -node.get("GPU", 0))[: config.get("max_workers") or 0]


def _cpu_share(node: dict[str, float], gpus: float, places: int, nodes: int) -> int:
    here = node["GPU"] // gpus if gpus else min(node.get("CPU", 1), math.ceil(places / nodes))
    return int(node.get("CPU", 1) // max(here, 1))


def _places(node: dict[str, float], cpus: int, gpus: float) -> int:
    """Workers that fit on a node."""
    by_cpu = int(node.get("CPU", 0) // cpus)
    return min(by_cpu, int(node.get("GPU", 0) // gpus)) if gpus else by_cpu
