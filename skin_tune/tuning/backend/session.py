"""Ray for the length of a call: a program that goes on afterwards, such as a notebook, finds it as it was."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from skin_tune.tuning.backend.machine_gpus import release


@contextmanager
def own_session() -> Iterator[None]:
    """Disconnect from a cluster that was joined in the block, or end one that was started, and free its GPUs.

    A connection that the program had before stays.
    """
    if _is_connected():
        yield
        return
    try:
        yield
    finally:
        if _is_connected():
            sys.modules["ray"].shutdown()
        release()


def _is_connected() -> bool:
    """Whether this process has a connection to a cluster; Ray, which takes seconds to import, is not for this."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())
