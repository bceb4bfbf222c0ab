"""How far an experiment has come, in figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from skin_tune.results.store.remaining import WAITING, epochs_left
from skin_tune.results.store.status import unfinished, usable
from skin_tune.text.wording import duration

Row = Mapping[str, Any]


def states(rows: Sequence[Row], held: bool | None) -> list[dict[str, Any]]:
    """Rows of `trials` with the present state of each trial as its status.

    One that is unfinished and that no run trains now is WAITING, also where its row says that it is running: its run
    was killed. `held` is whether a run holds the experiment, None where that cannot be told.
    """
    return [
        {**row, "status": WAITING} if unfinished(row) and (held is False or row["status"] != "running") else dict(row)
        for row in rows
    ]


def summary(
    rows: Sequence[Row], metric: str, trials: int | None, price: float | None, held: bool | None
) -> dict[str, Any]:
    """Figures on rows of `states`; `trials` are all that the experiment will have, None where that is not known."""
    statuses = [row["status"] for row in rows]
    running = [row for row in rows if row["status"] == "running"]
    over = [row for row in rows if row["status"] not in ("running", WAITING)]
    best = max((row for row in rows if usable(row, metric)), key=lambda row: row[metric], default=None)
    gpu_hours = _sum(rows, "gpu_seconds") / 3600
    return {
        "state": _state(len(rows), len(running), len(over), trials, held),
        "over": len(over),
        "trials": trials,
        "asides": {name: statuses.count(name) for name in ("stopped_early", "diverged", "failed") if name in statuses},
        "running": [[row["trial_id"], row.get("epochs") or 0, _whole(row.get("config/epochs"))] for row in running],
        "best": best and [best["trial_id"], best[metric], best.get("best_epoch")],
        "epochs": int(_sum(rows, "epochs")),
        "images": int(_sum(rows, "images")),
        "hours": _sum(rows, "seconds") / 3600,
        "gpu_hours": gpu_hours,
        "money": None if price is None else gpu_hours * price,
        "left": _left(rows, len(running), trials),
        "sure": bool(over),
    }


def _state(rows: int, running: int, over: int, trials: int | None, held: bool | None) -> str:
    """A key of the words of the page."""
    if running:
        return "state_running"
    if over >= (rows if trials is None else trials):
        return "state_done"
    return "state_starting" if held else "state_idle"


def _left(rows: Sequence[Row], running: int, trials: int | None) -> str | None:
    """Time left if as many trials run at a time as now, each epoch as long as those before; None where not known."""
    epochs = _sum(rows, "epochs")
    if not running or not epochs or trials is None:
        return None
    return duration(epochs_left(rows, trials) * _sum(rows, "seconds") / epochs / running)


def _sum(rows: Sequence[Row], column: str) -> float:
    return sum(row.get(column) or 0 for row in rows)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
