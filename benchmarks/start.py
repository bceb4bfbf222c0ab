"""How long a command takes to start."""

import statistics
import subprocess
import sys
import time

from benchmarks.rows import Row

_RUNS = 9


def measure() -> list[Row]:
    """Median seconds of a fresh process."""
    commands = {
        "skin-tune --help": [sys.executable, "-m", "skin_tune", "--help"],
        "import skin_tune": [sys.executable, "-c", "import skin_tune"],
    }
    rows = []
    for name, command in commands.items():
        seconds = statistics.median(_seconds(command) for _ in range(_RUNS))
        rows.append(Row(name, seconds, "s", "<= 0.3", seconds <= 0.3))
    return rows


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started
