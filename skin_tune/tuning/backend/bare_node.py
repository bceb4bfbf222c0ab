"""A Ray node of this machine's own without the processes that nothing asks.

`ray.init` starts a dashboard's server and waits for it, even where it is to have none, a monitor that would add nodes,
and a reader of logs that would be printed. Each is a Python process that imports Ray, on the way to the first trial.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray._private.node import Node

_SERVICES = ("start_api_server", "start_monitor", "start_log_monitor")


@contextmanager
def bare_node() -> Iterator[None]:
    """Have `ray.init` in the block start none of them. Trials of several workers need the first."""
    before = {name: getattr(Node, name) for name in _SERVICES if hasattr(Node, name)}
    for name in before:
        setattr(Node, name, _start_nothing)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


def _start_nothing(node: Any, **options: Any) -> None:
    node._webui_url = ""
