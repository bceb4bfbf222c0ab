"""Commands on a terminal of their own, and what they write there as time goes by."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROWS = 40
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Watched:
    """A command that has ended."""

    returncode: int
    frames: list[tuple[float, str]]
    """Seconds since its start and text of each state of the line that it was writing on."""
    lines: list[str]
    """What is left on the terminal at the end."""


def watch(
    *arguments: object, columns: int = 100, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Watched:
    """Run `skin-tune` on a terminal so many columns wide, and read along."""
    child, terminal = pty.fork()
    if child == 0:
        if cwd is not None:
            os.chdir(cwd)
        command = [sys.executable, "-m", "skin_tune", *map(str, arguments)]
        os.execve(sys.executable, command, {**(env or os.environ), "WANDB_MODE": "disabled", "TERM": "xterm"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    started, text = time.monotonic(), ""
    frames: list[tuple[float, str]] = []
    while True:
        if not select.select([terminal], [], [], 300)[0]:
            raise TimeoutError(f"nothing for 300 s after {text[-300:]!r}")
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        text += data.decode(errors="replace")
        shown = _ESCAPES.sub("", text).rsplit("\n", 1)[-1].rsplit("\r", 1)[-1]
        if shown and (not frames or frames[-1][1] != shown):
            frames.append((time.monotonic() - started, shown))
    _, status = os.waitpid(child, 0)
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in _ESCAPES.sub("", text).split("\n")]
    return Watched(os.waitstatus_to_exitcode(status), frames, [line for line in lines if line.strip()])
