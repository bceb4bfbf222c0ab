"""The Ray cluster: joined where one runs, else started here; and what of it a trial gets."""

import logging
import math
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml

from skin_tune import interruption
from skin_tune.errors import ClusterError, EnvironmentVariableError
from skin_tune.processes import family
from skin_tune.text import shown
from skin_tune.tuning import token
from skin_tune.tuning.gpus import take
from skin_tune.tuning.live_line import announce

_OBJECT_STORE_BYTES = 1 << 30
"""Enough for starting weights; packs are mapped from files, not kept in Ray."""

_DASHBOARD_SECONDS = 20

_BOOTSTRAP = Path("~/ray_bootstrap_config.yaml").expanduser()
"""Where `ray up` puts the cluster file on the head."""

_SETTINGS = {
    # Trials that wait for a place. One, Ray's default, lets an autoscaler add one node at a time, and never fills two
    # places where a trial is over before a process has started.
    "TUNE_MAX_PENDING_TRIALS_PG": "64",
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing phones home
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the run at once, not after every trial's epoch
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the results store takes their place
}


@dataclass(frozen=True)
class TrialResources:
    """What one trial holds while it runs."""

    cpus: int
    """CPUs of each worker."""
    gpus: float
    """GPUs of each worker, whole or a share of one."""
    workers: int = 1
    room: int | None = None
    """How many trials of several workers the cluster holds at a time; of single workers Tune keeps count itself."""

    def of_trial(self) -> dict[str, float]:
        """What Tune itself sets aside for a trial: nothing for several workers, who claim their own."""
        if self.workers > 1:
            return {"memory": 1.0}  # Tune refuses an empty request
        return {"CPU": self.cpus, "GPU": self.gpus}


def connect(*, worker_groups: bool = False, gpus: bool = True) -> None:
    """Join the cluster that RAY_ADDRESS names or that `ray start` began on this machine, else start one for this run.

    `worker_groups` need the cluster's dashboard: Ray frees the workers of a stopped trial through it. Raises
    ClusterError where RAY_ADDRESS leads nowhere, where no cluster starts here, or where the dashboard that is needed is
    missing. A cluster of its own that is to use `gpus` is refused those that another such run has.
    """
    if worker_groups:
        _check_dashboard_installed()
    with interruption.kept():
        own = _connect(worker_groups)
    family.look()
    if own and gpus:
        try:
            take()
        except ClusterError:
            ray.shutdown()
            raise
    if worker_groups:
        _check_dashboard_answers()


def _connect(dashboard: bool) -> bool:
    """Whether the cluster is our own."""
    os.environ.update({name: _setting(name, value) for name, value in _SETTINGS.items()})
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what we know of, we tell in a line
    if ray.is_initialized():
        return False
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    own: dict[str, Any] = {"include_dashboard": dashboard, "object_store_memory": _OBJECT_STORE_BYTES}
    if address := os.environ.get("RAY_ADDRESS"):
        _check_reachable(address)
        try:
            ray.init(**options)
        except (ConnectionError, ValueError) as error:
            raise ClusterError(f"RAY_ADDRESS={address!r} is no running cluster: {error}") from None
        return False
    token.present_here()
    try:
        ray.init(**own, **options)
    except ValueError:  # there is a cluster to join, and it has its own object store
        ray.init(**options)
        return False
    except Exception:
        # One was here and is gone, or Ray ended its own node because that took more than 15 s to load, as it may from a
        # slow disk: the files are in memory now. Ray has no class of its own for the latter.
        try:
            ray.init(address="local", **own, **options)
        except Exception as error:
            raise ClusterError(f"Ray does not start on this machine: {error}") from None
    return True


def _setting(name: str, ours: str) -> str:
    """What the environment says of one of _SETTINGS, or `ours`. Raises EnvironmentVariableError for no number."""
    given = os.environ.get(name, ours)
    if not (given.isascii() and given.isdecimal()) and given != "auto":
        raise EnvironmentVariableError(f"{name}={shown(given)} is not a whole number, such as {ours}")
    return given


def _check_reachable(address: str) -> None:
    """Ray itself tries for minutes before it gives up."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", "local"):
        return
    try:
        if not colon:
            raise ValueError("it is not of the form host:port")
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError, OverflowError) as error:  # the last of a port that is too high
        raise ClusterError(f"RAY_ADDRESS={address!r} cannot be reached: {error}") from None
    if not address.startswith("ray://"):
        token.present(f"{host}:{port}", f"RAY_ADDRESS={address!r}")


def _check_dashboard_installed() -> None:
    try:
        import ray.dashboard.optional_deps  # noqa: F401
    except ImportError as error:
        raise ClusterError(
            f"trials of several workers need Ray's dashboard, and {error.name or error} is missing; "
            "install ray[default]"
        ) from None


def _check_dashboard_answers() -> None:
    from ray.util.state import list_nodes
    from ray.util.state.exception import RayStateApiException

    try:
        list_nodes(address=ray.get_runtime_context().gcs_address, limit=1, timeout=_DASHBOARD_SECONDS)
    except (RayStateApiException, OSError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClusterError(
            "trials of several workers need Ray's dashboard, and this cluster's does not answer; "
            f"start it with ray[default] installed and --include-dashboard=true ({reason})"
        ) from None


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
    to_come = _nodes_to_come()
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
        sum(_places(node, resources.cpus, resources.gpus) for node in nodes) for nodes in (here, _nodes_to_come())
    )
    return places // resources.workers


def _nodes_to_come() -> list[dict[str, float]]:
    """Resources of each node there may be once an autoscaler has added all it may; none without an autoscaler.

    Known on the head of a cluster that `ray up` made, which is where jobs run.
    """
    if not _BOOTSTRAP.is_file():
        return []
    config = yaml.safe_load(_BOOTSTRAP.read_text())
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
