"""The processes that this one has started, so that none outlives it."""

import os
import threading
from typing import Any


class Family:
    """Every descendant of this process that a `look` has found, whoever its parent has become since."""

    def __init__(self) -> None:
        self._members: dict[tuple[int, float], Any] = {}
        self._lock = threading.Lock()

    def look(self) -> None:
        """Note the descendants there are now. Orphans are not descendants any more: look while their parents live."""
        import psutil  # not needed by a command that starts no process

        try:
            found = psutil.Process(os.getpid()).children(recursive=True)
            with self._lock:
                for process in found:
                    self._members[process.pid, process.create_time()] = process
        except psutil.Error:  # one of them ended while we looked
            return

    def kill(self) -> None:
        """End all of them at once. A number that another process bears by now is left alone."""
        import psutil

        self.look()
        with self._lock:
            members = list(self._members.values())
            self._members.clear()
        for process in members:
            try:
                process.kill()  # psutil checks that it is still the one that was found
            except psutil.Error:
                continue


family = Family()
"""The descendants of this process."""
