"""Detects that the cluster has gone. Ray itself waits for a minute, then ends the process without asking."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import ray

from skin_tune.errors import ClusterLostError
from skin_tune.processes import interruption
from skin_tune.processes.family import family
from skin_tune.tuning.backend import machine_gpus as gpus

_LOOK_SECONDS = 1.0
_REFUSALS = 5
"""So many looks in a row find nobody where the head, or this machine's part of it, was. A link that is cut refuses
nothing: Ray waits for it, and so do we."""
_ANSWER_SECONDS = 5
"""How long the main thread may take to hear of it, before it is ended with all the rest: Ray asks the head in ways that
nothing can interrupt."""
_LEAVING_SECONDS = 15
_REASON = "the Ray cluster has gone while the run was on (its gcs_server or raylet has ended)"


class _Lost(BaseException):
    """Passes by those who handle every Exception, as Tune does."""


@contextmanager
def membership(how_to_resume: str) -> Iterator[None]:
    """Leave the cluster at the end, or end it where it was begun for this run.

    Raises ClusterLostError from within where it is lost before; the message ends with `how_to_resume`.
    """
    lost, over = threading.Event(), threading.Event()
    reason = f"{_REASON}; {how_to_resume}"
    main = threading.current_thread() is threading.main_thread()

    def raise_lost(number: int, frame: FrameType | None) -> None:
        if not over.is_set():
            raise _Lost

    before = signal.signal(signal.SIGUSR2, raise_lost) if main else None
    watch = threading.Thread(target=_watch, args=(_parts(), lost, over, reason, threading.get_ident()), daemon=True)
    watch.start()
    try:
        yield
    except (_Lost, Exception):
        if lost.is_set():
            raise ClusterLostError(reason) from None
        raise
    finally:
        over.set()
        watch.join(_LOOK_SECONDS)
        if main:
            signal.signal(signal.SIGUSR2, before or signal.SIG_DFL)
        _leave(lost.is_set())


def _leave(lost: bool) -> None:
    if interruption.received() or (lost and interruption.is_listening()):
        return  # the command ends, and all that it has started with it
    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(_LEAVING_SECONDS)
    gpus.release()


def _parts() -> list[tuple[socket.AddressFamily, str | tuple[str, int]]]:
    """Addresses of the cluster's head and of this machine's raylet."""
    parts: list[tuple[socket.AddressFamily, str | tuple[str, int]]] = []
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    host = host.strip("[]")
    parts.append((socket.AF_INET6 if ":" in host else socket.AF_INET, (host, int(port))))
    node = getattr(ray._private.worker, "_global_node", None)
    if path := getattr(node, "raylet_socket_name", None):
        parts.append((socket.AF_UNIX, path))
    return parts


def _watch(
    parts: list[tuple[socket.AddressFamily, str | tuple[str, int]]],
    lost: threading.Event,
    over: threading.Event,
    reason: str,
    thread: int,
) -> None:
    refusals = 0
    while not over.wait(_LOOK_SECONDS):
        family.look()
        refusals = 0 if all(_listens(*part) for part in parts) else refusals + 1
        if refusals == _REFUSALS:
            break
    if over.is_set():
        return
    lost.set()
    if thread == threading.main_thread().ident:
        signal.pthread_kill(thread, signal.SIGUSR2)
    if not over.wait(_ANSWER_SECONDS) and interruption.is_listening():
        interruption.tell(f"error: {reason}")
        interruption.end_now(ClusterLostError.exit_code)


def _listens(kind: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    """False where the machine itself says that nobody is there; a network that does not answer may come back."""
    if kind == socket.AF_UNIX and _is_bound(str(address)):
        return True
    with socket.socket(kind, socket.SOCK_STREAM) as probe:
        probe.settimeout(_LOOK_SECONDS)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def _is_bound(path: str) -> bool:
    """Whether somebody holds a socket, as far as the system tells; a raylet notes every caller in its log."""
    try:
        return path in Path("/proc/net/unix").read_text()
    except OSError:
        return False
