"""The live line: what a command does from its first second, on a terminal; in a log a plain line now and then.

A process has one such line at most, as it has one terminal: whoever begins something that may last says so by `doing`,
and need not know whether anybody watches.
"""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from skin_tune.text.escaping import escaped
from skin_tune.text.wording import duration

_LIVE_SECONDS = 0.5
_LOG_SECONDS = 30.0
"""Shorter waits leave no line in a log: an early error is one line there, too."""
_ERASE = "\r\x1b[2K"
_NO_LIMIT = 10_000

_current: "LiveLine | None" = None


class LiveLine:
    """A line that a thread of its own writes anew, so that it moves while the command waits."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self.live = self._stream.isatty()
        self._text: Callable[[int], str] = lambda width: ""
        self._changed = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, daemon=True)
        self._thread.start()

    def follow(self, text: Callable[[int], str]) -> None:
        """Show what `text(width)` says of the moment, in no more than `width` columns."""
        self._text = text
        if self.live:
            self._write("")

    def doing(self, what: str) -> None:
        """Show what is being done, and for how long."""
        began = time.monotonic()
        self.follow(lambda width: f"{what}, {duration(time.monotonic() - began)}")

    def say(self, line: str) -> None:
        """Write a line that stays."""
        self._write(f"{escaped(line)}\n")

    def close(self, *, leave: bool = False) -> None:
        """End the line; on a terminal its last state is left behind or removed."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join()
        if self.live:
            self._stream.write(_ERASE + (f"{self._shown()}\n" if leave else ""))
            self._stream.flush()

    def _keep_writing(self) -> None:
        while not self._closed.wait(_LIVE_SECONDS if self.live else _LOG_SECONDS):
            if self.live:
                self._write("")
            elif line := self._text(_NO_LIMIT):
                self._write(f"{line}\n")

    def _write(self, above: str) -> None:
        """Write what stays, and the line anew below it."""
        with self._changed:
            if self.live and not self._closed.is_set():
                self._stream.write(_ERASE + above + self._shown())
            else:
                self._stream.write(above)
            self._stream.flush()

    def _shown(self) -> str:
        width = shutil.get_terminal_size().columns - 1
        return self._text(width)[:width]  # a line that wraps could not be rewritten


@contextmanager
def live_line(begin: str) -> Iterator[LiveLine]:
    """The process's live line, which begins with what is done first; the one there is where it has one already."""
    global _current
    if _current is not None:
        yield _current
        return
    _current = line = LiveLine()
    line.doing(begin)
    try:
        yield line
    finally:
        _current = None
        line.close()


def doing(what: str) -> None:
    """Show on the process's live line, if it has one, what begins now."""
    if _current is not None:
        _current.doing(what)


def announce(line: str) -> None:
    """Tell whoever watches, above the live line if there is one."""
    if _current is not None:
        _current.say(line)
    else:
        print(escaped(line), file=sys.stderr)
