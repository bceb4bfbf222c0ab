"""Authentication token of a Ray cluster.

`ray start --head` asks for one as soon as there is one in the home, but a client sends it only where RAY_AUTH_MODE
says so.
"""

import os
import socket
from pathlib import Path
from typing import Any

import ray

from skin_tune.errors import ClusterError
from skin_tune.storage.files import Location

_SECONDS = 5


def present(address: str, named: str) -> None:
    """Show the user's token to the cluster at `address` where it asks for one.

    Raises ClusterError where it asks for another. `named` is what the user calls the cluster.
    """
    if _lets_us_in(address):
        return
    if "RAY_AUTH_MODE" not in os.environ and _has_token():
        os.environ["RAY_AUTH_MODE"] = "token"
        vars(ray._raylet)["Config"].initialize("")  # Ray has read the environment when it was imported
        vars(ray._raylet)["AuthenticationTokenLoader"].instance().reset_cache()
        if _lets_us_in(address):
            return
    raise ClusterError(
        f"{named} asks for a token, and {_given()} is not it; bring the head's ~/.ray/auth_token here, to the same "
        "place, or name its file in RAY_AUTH_TOKEN_PATH"
    )


def present_here() -> None:
    """Show the token to the cluster that `ray start` began on this machine, if there is one."""
    note = Path(os.environ.get("RAY_TMPDIR") or "/tmp") / "ray" / "ray_current_cluster"
    try:
        address = note.read_text().strip()
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=_SECONDS).close()
    except (OSError, ValueError):  # none, or one that has gone
        return
    present(address, f"the Ray cluster of this machine, {address},")


def _lets_us_in(address: str) -> bool:
    """False where a cluster asks for another token than ours; Ray itself asks a dozen times, and says so each time."""
    client: Any = vars(ray._raylet)["GcsClient"]
    spoken = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 (a file descriptor is what is wanted)
            os.dup2(nowhere.fileno(), 2)
        client(address=address)
    except ray.exceptions.AuthenticationError:
        return False
    except Exception:  # whatever else it is, joining will tell
        return True
    finally:
        os.dup2(spoken, 2)
        os.close(spoken)
    return True


def _file() -> Location:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token")


def _has_token() -> bool:
    try:
        return bool(os.environ.get("RAY_AUTH_TOKEN")) or _file().expanduser().is_file()
    except (OSError, RuntimeError):  # a home that is not there
        return False


def _given() -> str:
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        return f"RAY_AUTH_MODE={os.environ['RAY_AUTH_MODE']}"
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "that in RAY_AUTH_TOKEN"
    return f"that in {_file()}" if _has_token() else "none"
