"""The Ray cluster: joined where one runs, else started here; and what of it a trial gets."""

import logging
import math
import os
import socket
from dataclasses import dataclass
from typing import Any

import ray

from skin_tune.errors import ClusterError

_OBJECT_STORE_BYTES = 1 << 30
"""Enough for starting weights; packs are mapped from files, not kept in Ray."""

_QUIET = {
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
    gpus: float


def connect() -> None:
    """Join the cluster that RAY_ADDRESS names or that `ray start` began on this machine, else start one for this run.

    Raises ClusterError where RAY_ADDRESS leads nowhere.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    logging.getLogger("ray").setLevel(logging.ERROR)
    if ray.is_initialized():
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    if address := os.environ.get("RAY_ADDRESS"):
        _check_reachable(address)
        try:
            ray.init(**options)
        except (ConnectionError, ValueError) as error:
            raise ClusterError(f"RAY_ADDRESS={address!r} is no running cluster: {error}") from None
        return
    try:
        ray.init(**own, **options)
    except ValueError:  # there is a cluster to join, and it has its own object store
        ray.init(**options)
    except ConnectionError:  # one was here and is gone
        ray.init(address="local", **own, **options)


def _check_reachable(address: str) -> None:
    """Ray itself tries for minutes before it gives up."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", "local"):
        return
    try:
        if not colon:
            raise ValueError("it is not of the form host:port")
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise ClusterError(f"RAY_ADDRESS={address!r} cannot be reached: {error}") from None


def trial_resources(cpus: int | None, gpus: float | None, at_once: int) -> TrialResources:
    """Fill in what was not asked for, and check that some node can hold a trial.

    By default a trial gets a GPU where there is one, with its share of that node's CPUs; without GPUs the nodes' CPUs
    are dealt out to the `at_once` trials that run side by side. Raises ClusterError where no node has that much.
    """
    if cpus is not None and cpus < 1:
        raise ClusterError(f"--cpus-per-trial {cpus} is below 1")
    if gpus is not None and (gpus < 0 or (gpus > 1 and not float(gpus).is_integer())):
        raise ClusterError(f"--gpus-per-trial {gpus} is neither a share in [0, 1] nor a whole number")
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0.0
    able = [node for node in nodes if node.get("GPU", 0) >= gpus]
    if not able:
        most = max((node.get("GPU", 0) for node in nodes), default=0)
        raise ClusterError(f"--gpus-per-trial {gpus:g} is more than any node has; the largest has {most:g}")
    if cpus is None:
        cpus = max(1, min(_cpu_share(node, gpus, at_once, len(able)) for node in able))
    most_cpus = max(node.get("CPU", 0) for node in able)
    if cpus > most_cpus:
        raise ClusterError(f"--cpus-per-trial {cpus} is more than any node has; the largest has {most_cpus:g}")
    return TrialResources(cpus, gpus)


def _cpu_share(node: dict[str, float], gpus: float, at_once: int, nodes: int) -> int:
    places = node["GPU"] // gpus if gpus else min(node.get("CPU", 1), math.ceil(at_once / nodes))
    return int(node.get("CPU", 1) // max(places, 1))
