"""What of an experiment is still to be run, told from its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

WAITING = "waiting"
"""Status of a trial that an earlier run began, and that has not gone on yet."""


def epochs_left(rows: Sequence[Row], trials: int) -> float:
    """Epochs that are still to be run if trials go on as those that are over have gone.

    `trials` are all that the experiment will have; statuses are those of the store, or WAITING.
    """
    over = [row["epochs"] for row in rows if row["status"] in ("completed", "stopped_early")]
    rows = [row for row in rows if row.get("config/epochs")]  # what a crash left may be half a row
    whole = [int(row["config/epochs"]) for row in rows] or [0]
    usual = sum(over) / len(over) if over else sum(whole) / len(whole)
    left = usual * max(trials - len(rows), 0)
    for row in rows:
        if row["status"] in ("running", WAITING):
            epochs, full = row.get("epochs") or 0, int(row["config/epochs"])
            left += (usual if epochs < usual else full) - epochs
    return left
