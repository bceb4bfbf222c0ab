"""The request of `tune`, and the checks that need no pack."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.errors import ExperimentError
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import check_experiment_name
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.space.sweep_file import load_space
from skin_tune.tuning.tracking.tensorboard_events import check_tensorboard
from skin_tune.tuning.tracking.wandb_settings import check_mode

SETTLED, END = "settled", "end"
"""`until` an experiment has nothing left to win, or all of its trials have run."""


@dataclass(frozen=True)
class TuneRequest:
    """Arguments of `tune`."""

    pack: Location
    space: Location | Space
    """A wandb sweep file, or what was read of one."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    trials: int | None = None
    """None: the space's run_cap, the size of its grid, or DEFAULT_TRIALS."""
    storage: Location = Path("runs")
    seed: int = 0
    workers_per_trial: int = 1
    cpus_per_trial: int | None = None
    gpus_per_trial: float | None = None
    concurrent: int | None = None
    time_budget: float | None = None
    """Seconds after which the trials are stopped."""
    gpu_hours: float | None = None
    """GPU-hours after which the trials are stopped."""
    image_budget: int | None = None
    """Images drawn for training, over all trials, after which they are stopped."""
    until: str | None = None
    """SETTLED: none is started once nothing is left to win; END, as None: all are run."""
    max_failures: int = 3
    """How often a trial whose process died is restored from its last epoch."""
    keep_checkpoints: int = 10
    """How many of the best trials keep their model once they are over."""
    warm_start: Sequence[str] = ()
    """Regions and experiments of the store whose best configs are tried first."""
    wandb: str | None = None
    """online, offline or disabled; None: as wandb is configured."""
    tensorboard: bool = False
    """Write event files, too."""
    resume: bool = False
    """Resume the experiment `name`, which was interrupted."""


def parse_duration(text: str) -> float:
    """``90``, ``45s``, ``30m``, ``2h`` or ``1h30m`` in seconds. Raises ExperimentError otherwise."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + seconds
    if not total:
        raise ExperimentError(f"--time-budget {text!r} is not a duration such as 45s, 30m, 2h or 1h30m")
    return float(total)


def check_request(request: TuneRequest) -> Space:
    """The space of a request; raises a SkinTuneError for what is wrong whatever the pack holds."""
    space = request.space if isinstance(request.space, Space) else load_space(request.space, request.overrides)
    check_numbers(request)
    check_mode(request.wandb)
    if request.tensorboard:
        check_tensorboard(request.storage)
    if request.name is not None:
        check_experiment_name(request.name)
    elif request.resume:
        raise ExperimentError("--resume needs the --name of the experiment")
    if request.until not in (None, SETTLED, END):
        raise ExperimentError(f"--until {request.until!r} is neither {SETTLED} nor {END}")
    if request.until == SETTLED and space.method == "grid":
        raise ExperimentError("--until settled needs a space of method bayes or random; a grid is tried as a whole")
    if request.warm_start and space.method == "grid":
        raise ExperimentError("--warm-start needs a space of method bayes or random; a grid is tried as a whole")
    return space


def check_numbers(request: TuneRequest) -> None:
    """Raise ExperimentError for an impossible count or budget."""
    for flag, value, least in (
        ("--concurrent", request.concurrent, 1),
        ("--workers-per-trial", request.workers_per_trial, 1),
        ("--max-failures", request.max_failures, 0),
        ("--keep-checkpoints", request.keep_checkpoints, 1),
        ("--trials", request.trials, 1),
        ("--image-budget", request.image_budget, 1),
    ):
        if value is not None and value < least:
            raise ExperimentError(f"{flag} {value} is below {least}")
    if request.time_budget is not None and not request.time_budget > 0:
        raise ExperimentError(f"--time-budget {request.time_budget:g} is not above 0 seconds")
    if request.gpu_hours is not None and not request.gpu_hours > 0:
        raise ExperimentError(f"--gpu-hours {request.gpu_hours:g} is not above 0")
