"""Signals that end a command: Ctrl-C, the SIGTERM of a queue or a container, the SIGHUP of a closed terminal.

The first signal raises Interrupted in the main thread: what has been recorded stands, and what is open is closed. A
second one, or a clean-up that takes too long, ends the process at once with all that it has started. A thread of its
own counts the signals, since the main one may be deep in a library that does not listen.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

from skin_tune.processes.family import family

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAME_SECONDS = 0.2
"""`timeout`, and the shell of a terminal that closes, send the same signal to a process and to its group."""
_CLEAN_UP_SECONDS = 60
"""Longer than wandb may take to close its runs."""


class Interrupted(KeyboardInterrupt):
    """A signal has asked this command to end; as Ctrl-C does, it passes by those who handle every Exception."""


@dataclass
class _Heard:
    """The signals this command has received."""

    signal: int | None = None
    at: float = 0.0
    listening: bool = False
    held: bool = False
    """Whether a signal is answered only at the end of a block of `held`."""
    told: bool = False
    """Whether the user has been told how the command ends."""


_heard = _Heard()


def received() -> int | None:
    """The signal that has asked this command to end, if one has."""
    return _heard.signal


def is_listening() -> bool:
    """Whether this process is a command, and not a program that has only imported us."""
    return _heard.listening


def check() -> None:
    """Raise Interrupted where a signal has come: a library may have swallowed what was raised when it did."""
    if _heard.signal is not None:
        raise Interrupted


def exit_code() -> int:
    """The exit code a shell gives a process that a signal has ended."""
    return 128 + (_heard.signal or signal.SIGINT)


@contextmanager
def listening() -> Iterator[None]:
    """Have signals end a command in this way, but those that are ignored, as below nohup; only in the main thread."""
    _heard.told = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _heard.signal, _heard.listening = None, True
    before = {number: signal.getsignal(number) for number in SIGNALS}
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_count, args=(reading,), daemon=True).start()
    _listen()
    try:
        yield
    finally:
        _heard.listening = False
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)  # ends the thread


@contextmanager
def kept() -> Iterator[None]:
    """Let no library within take the signals for itself, as Ray does when it connects."""
    if not _heard.listening or threading.current_thread() is not threading.main_thread():
        yield
        return
    register = signal.signal

    def leave(number: int, handler: Any) -> Any:
        return signal.getsignal(number) if number in SIGNALS else register(number, handler)

    signal.signal = leave  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = register
        _listen()  # what is not written in Python has registered in its own way: Ray would dump the stack
    check()


@contextmanager
def held() -> Iterator[None]:
    """Answer a signal at the end of the block: a process that is being started would complain of half a start."""
    _heard.held = True
    try:
        yield
    finally:
        _heard.held = False
    check()


def _listen() -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


def tell(message: str) -> None:
    """Say in one line how the command ends, the first time that there is something to say."""
    if not _heard.told:
        _heard.told = True
        with suppress(OSError, ValueError):  # whoever read this may have gone
            print(message, file=sys.stderr, flush=True)


def end_now(code: int) -> NoReturn:
    """End this process and all that it has started, without another word."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the terminal has gone
            continue
    family.kill()
    os._exit(code)


def _raise(number: int, frame: FrameType | None) -> None:
    if _heard.signal is not None:
        return  # the thread ends the process
    _heard.signal = number
    if number == signal.SIGHUP:
        _leave_terminal()
    if not _heard.held:
        raise Interrupted


def _leave_terminal() -> None:
    """Discard all further output: writing to a terminal that has gone is an error."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 (a file descriptor is what is wanted)
        for stream in (1, 2):
            if os.isatty(stream):
                os.dup2(nowhere.fileno(), stream)


def _count(reading: int) -> None:
    first: tuple[int, float] | None = None
    while True:
        number = _next(reading, _CLEAN_UP_SECONDS if first else None)
        if number == 0:
            os.close(reading)
            return
        now = time.monotonic()
        if first is None:
            if number is not None:
                first = (number, now)
        elif number is None or number != first[0] or now - first[1] > _SAME_SECONDS:
            tell("interrupted")
            end_now(128 + first[0])


def _next(reading: int, seconds: float | None) -> int | None:
    """The next of SIGNALS; None after so many `seconds` without one, 0 where nobody listens any more."""
    import select

    until = None if seconds is None else time.monotonic() + seconds
    while True:
        wait = None if until is None else max(0.0, until - time.monotonic())
        ready: Any = select.select([reading], [], [], wait)[0]
        if not ready:
            return None
        if not (byte := os.read(reading, 1)):
            return 0
        if byte[0] in SIGNALS:
            return byte[0]
