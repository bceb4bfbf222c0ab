"""What an experiment was asked for, checked before anything slow starts."""

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack, open_pack
from skin_tune.errors import ExperimentError, SkinTuneError
from skin_tune.paths import RunPaths, check_experiment_name
from skin_tune.training.fit import check_fit
from skin_tune.tuning.asked import Asked, read_asked
from skin_tune.tuning.noted import as_noted
from skin_tune.tuning.space import Space
from skin_tune.tuning.space_file import load_space
from skin_tune.tuning.target import Reached
from skin_tune.tuning.wandb_log import check_mode
from skin_tune.tuning.warm import Units, best_of_siblings, check_siblings

DEFAULT_TRIALS = 32
_GIVE_AGAIN = (
    "the experiment is of an older version, which did not note its space: --resume it with the --space, name=value "
    "words and flags that it was started with"
)


@dataclass(frozen=True)
class TuneRequest:
    """What `tune` was asked for."""

    pack: Path
    space: Path | Space
    """A wandb sweep file, or what was read of one."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    trials: int | None = None
    """None: the space's run_cap, the size of its grid, or DEFAULT_TRIALS."""
    storage: Path = Path("runs")
    seed: int = 0
    workers_per_trial: int = 1
    cpus_per_trial: int | None = None
    gpus_per_trial: float | None = None
    concurrent: int | None = None
    time_budget: float | None = None
    """Seconds after which no trial goes on."""
    gpu_hours: float | None = None
    """GPU-hours after which no trial goes on."""
    max_failures: int = 3
    """How often a trial whose process died goes on from its last epoch."""
    keep_checkpoints: int = 10
    """How many of the best trials keep their model once they are over."""
    warm_start: Sequence[str] = ()
    """Regions and experiments of the store whose best configs are tried first."""
    wandb: str | None = None
    """online, offline or disabled; None: as wandb is configured."""
    resume: bool = False
    """Go on with the experiment `name`, which was interrupted."""


@dataclass(frozen=True)
class Plan:
    """A request that has been checked: what there is to run."""

    request: TuneRequest
    space: Space
    pack: Pack
    paths: RunPaths
    name: str
    trials: int
    """Trials the experiment has when it is complete."""
    configs: Sequence[Mapping[str, Any]] = ()
    """Configs, with `trial_id`, that are all there is to run; where there is none, the space is searched."""
    taken: Collection[str] = ()
    """Ids of trials that were started before an interruption."""
    unfinished: Sequence[Mapping[str, Any]] = ()
    """Configs, with `trial_id`, of those that go on from their last checkpoint."""
    history: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """The selection metric of earlier trials by id and epoch."""
    reached: Reached | None = None
    """Which earlier trial has reached the target, so that there is nothing left to run."""

    @property
    def region(self) -> str:
        return self.pack.info.region

    @property
    def asked(self) -> Asked:
        request = self.request
        noted = as_noted(request, self.space, self.trials)
        return Asked.of(self.pack, self.space, request.seed, self.trials, request.warm_start, noted)

    @property
    def asked_file(self) -> Path:
        return self.paths.asked(self.region, self.name)

    @property
    def to_run(self) -> int:
        return 0 if self.reached else max(0, self.trials - len(self.taken)) + len(self.unfinished)

    def best_of_siblings(self) -> Sequence[Units]:
        """What to try first, by what the store holds at the moment."""
        return best_of_siblings(self.paths.storage, self.request.warm_start, self.region, self.name, self.space)


def parse_duration(text: str) -> float:
    """``90``, ``45s``, ``30m``, ``2h`` or ``1h30m`` in seconds. Raises ExperimentError otherwise."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + seconds
    if not total:
        raise ExperimentError(f"--time-budget {text!r} is not a duration such as 45s, 30m, 2h or 1h30m")
    return float(total)


def checked(request: TuneRequest, *, siblings_to_come: bool = False) -> Plan:
    """The plan of a request; raises a SkinTuneError for what cannot work.

    With `siblings_to_come` the experiments to start from need not be there yet.
    """
    pack = open_pack(request.pack.resolve())
    region = pack.info.region
    with _told_what_to_give(request, region):
        space = check_words(request)
        _check_fits(space, pack, request)
    plan = Plan(
        request=request,
        space=space,
        pack=pack,
        paths=RunPaths(request.storage.resolve()),
        name=request.name or f"{region}-{time.strftime('%Y%m%d-%H%M%S')}",
        trials=_trial_count(request, space),
    )
    if request.warm_start and not siblings_to_come:
        check_siblings(plan.paths.storage, request.warm_start, region, plan.name)
    _check_name(plan)
    return plan


@contextmanager
def _told_what_to_give(request: TuneRequest, region: str) -> Iterator[None]:
    """Say so where a mistake may be for want of what an older version did not note."""
    try:
        yield
    except SkinTuneError as error:
        if request.resume and request.name and not _has_noted(request, region):
            raise ExperimentError(f"{error}; {_GIVE_AGAIN}") from None
        raise


def _has_noted(request: TuneRequest, region: str) -> bool:
    file = RunPaths(request.storage.resolve()).asked(region, str(request.name))
    return not file.is_file() or bool(read_asked(file).noted)


def check_words(request: TuneRequest) -> Space:
    """The space of a request; raises a SkinTuneError for what is wrong whatever the pack holds."""
    space = request.space if isinstance(request.space, Space) else load_space(request.space, request.overrides)
    check_numbers(request)
    check_mode(request.wandb)
    if request.name is not None:
        check_experiment_name(request.name)
    elif request.resume:
        raise ExperimentError("--resume needs the --name of the experiment to go on with")
    if request.warm_start and space.method == "grid":
        raise ExperimentError("--warm-start needs a space of method bayes or random; a grid is tried as a whole")
    return space


def taken(plan: Plan) -> ExperimentError:
    """The error of a name that is in use."""
    return ExperimentError(
        f"experiment {plan.name!r} of {plan.region} already exists below {str(plan.paths.storage)!r}; "
        "go on with it by --resume, or give another --name"
    )


def check_numbers(request: TuneRequest) -> None:
    """Raise ExperimentError for a count or a budget that cannot be."""
    for flag, value, least in (
        ("--concurrent", request.concurrent, 1),
        ("--workers-per-trial", request.workers_per_trial, 1),
        ("--max-failures", request.max_failures, 0),
        ("--keep-checkpoints", request.keep_checkpoints, 1),
        ("--trials", request.trials, 1),
    ):
        if value is not None and value < least:
            raise ExperimentError(f"{flag} {value} is below {least}")
    if request.gpu_hours is not None and not request.gpu_hours > 0:
        raise ExperimentError(f"--gpu-hours {request.gpu_hours:g} is not above 0")


def _trial_count(request: TuneRequest, space: Space) -> int:
    asked = request.trials or space.run_cap
    if space.method != "grid":
        return asked or DEFAULT_TRIALS
    combinations = sum(1 for _ in space.grid())
    return min(asked or combinations, combinations)


def _check_fits(space: Space, pack: Pack, request: TuneRequest) -> None:
    """What every trial would fail on is an error now; what only some would is left to them."""
    least = {
        parameter.name: min(parameter.values) if parameter.values else parameter.at(0.0)
        for parameter in space.parameters
        if parameter.is_constant or parameter.name in ("image_size", "batch_size")
    }
    check_fit(TrialConfig.from_mapping({"seed": request.seed, **least}), pack, request.workers_per_trial)


def _check_name(plan: Plan) -> None:
    exists = plan.asked_file.exists() or plan.paths.partition("trials", plan.region, plan.name).exists()
    if not plan.request.resume:
        if exists:
            raise taken(plan)
        return
    if not plan.asked_file.is_file():
        raise ExperimentError(
            f"there is no experiment {plan.name!r} of {plan.region} below {str(plan.paths.storage)!r} to --resume"
        )
    earlier = read_asked(plan.asked_file)
    if changes := earlier.changes(plan.asked):
        how = "--resume it with what it was started with, or give another --name" if earlier.noted else _GIVE_AGAIN
        raise ExperimentError(
            f"experiment {plan.name!r} cannot go on, its trials would not compare: {'; '.join(changes)}; {how}"
        )
