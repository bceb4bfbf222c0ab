"""The Ray cluster: joined where one runs, else started here; and what of it a trial gets."""

import contextlib
import logging
import os
import socket
from typing import Any

import ray

from skin_tune.errors import ClusterError, EnvironmentVariableError
from skin_tune.processes import interruption
from skin_tune.processes.family import family
from skin_tune.text.escaping import shown
from skin_tune.tuning.backend import auth_token as token
from skin_tune.tuning.backend.bare_node import bare_node
from skin_tune.tuning.backend.machine_gpus import take
from skin_tune.tuning.tracking.live_line import doing

_OBJECT_STORE_BYTES = 1 << 30
"""Enough for starting weights; packs are mapped from files, not kept in Ray."""

_DASHBOARD_SECONDS = 20


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


def connect(*, worker_groups: bool = False, gpus: bool = True) -> None:
    """Join the cluster that RAY_ADDRESS names or that `ray start` began on this machine, else start one for this run.

    `worker_groups` need the cluster's dashboard: Ray frees the workers of a stopped trial through it; a cluster that is
    started without them has none. Raises ClusterError where RAY_ADDRESS leads nowhere, where no cluster starts here, or
    where the dashboard that is needed is missing. A cluster of its own that is to use `gpus` is refused those that
    another such run has.
    """
    doing("joining the Ray cluster" if os.environ.get("RAY_ADDRESS") else "starting Ray")
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
    with contextlib.nullcontext() if dashboard else bare_node():
        try:
            ray.init(**own, **options)
        except ValueError:  # there is a cluster to join, and it has its own object store
            ray.init(**options)
            return False
        except Exception:
            # One was here and is gone, or Ray ended its own node because that took more than 15 s to load, as it may
            # from a slow disk: the files are in memory now. Ray has no class of its own for the latter.
            try:
                ray.init(address="local", **own, **options)
            except Exception as error:
                raise ClusterError(f"Ray does not start on this machine: {error}") from None
    return True


def _setting(name: str, ours: str) -> str:
    """Value of one of _SETTINGS in the environment, or `ours`. Raises EnvironmentVariableError for no number."""
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
