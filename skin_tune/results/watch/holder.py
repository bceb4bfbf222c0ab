"""Whether a run holds an experiment now, told without touching its lock."""

import re
import socket
from pathlib import Path
from typing import Any

from skin_tune.results.store.lock import DEAD_SECONDS
from skin_tune.storage.files import Location, is_local

_HOLDER = re.compile(r"process \d+ on (?P<machine>\S+) since .*", re.DOTALL)
_LOCKS = Path("/proc/locks")


def is_held(lock: Location) -> bool | None:
    """Whether a run holds the lock of an experiment; None where that cannot be told.

    A reader that tried to take the lock would for a moment keep a run from it. So the system is asked which files are
    locked on this machine; of the locks of others nothing is known. In a bucket a holder writes its lock anew three
    times a minute, and removes it in the end.
    """
    try:
        if not is_local(lock):
            bucket_lock: Any = lock
            return bool(bucket_lock.version()[1] < DEAD_SECONDS)
        holder = _HOLDER.fullmatch(lock.read_text().strip())
        if holder is None or holder["machine"] != socket.gethostname():
            return None
        return any(line.split()[5].endswith(f":{lock.stat().st_ino}") for line in _LOCKS.read_text().splitlines())
    except FileNotFoundError:
        return False
    except (OSError, ValueError, IndexError):  # out of reach for the moment, or not as a run or the system writes it
        return None
