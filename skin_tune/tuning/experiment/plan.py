"""The plan of an experiment: a request checked against its pack, its storage and what is stored there already."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.errors import ExperimentError, SkinTuneError
from skin_tune.results.store.tables import ExperimentWriter
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.training.compatibility import check_compatibility, check_network
from skin_tune.tuning.experiment.options import settings_to_note
from skin_tune.tuning.experiment.request import TuneRequest, check_request
from skin_tune.tuning.experiment.spec import ExperimentSpec, read_spec
from skin_tune.tuning.search.target import Reached
from skin_tune.tuning.search.warm_start import Units, best_of_siblings, check_siblings
from skin_tune.tuning.space.parameters import Space

DEFAULT_TRIALS = 32
_OF_THE_NETWORK = ("backbone", "image_size", "stem_stride", "last_stride")
_GIVE_AGAIN = (
    "the experiment is of an older version, which did not note its space: --resume it with the --space, name=value "
    "words and flags that it was started with"
)


@dataclass(frozen=True)
class Plan:
    """A request that has been checked: what there is to run."""

    request: TuneRequest
    space: Space
    pack: Pack
    paths: RunPaths
    name: str
    trials: int
    """Trials of the complete experiment."""
    configs: Sequence[Mapping[str, Any]] = ()
    """Configs, with `trial_id`, that are all there is to run; empty where the space is searched."""
    started_ids: Collection[str] = ()
    """Ids of the trials that an earlier run started."""
    unfinished: Sequence[Mapping[str, Any]] = ()
    """Configs, with `trial_id`, of trials that continue from their last checkpoint."""
    history: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Selection metric of earlier trials by id and epoch."""
    reached: Reached | None = None
    """The earlier trial that reached the target, so that nothing is left to run."""

    @property
    def region(self) -> str:
        return self.pack.info.region

    @property
    def spec(self) -> ExperimentSpec:
        request = self.request
        noted = settings_to_note(request, self.space, self.trials)
        return ExperimentSpec.of(self.pack, self.space, request.seed, self.trials, request.warm_start, noted)

    @property
    def spec_file(self) -> Location:
        return self.paths.spec(self.region, self.name)

    @property
    def to_run(self) -> int:
        """Number of trials to start or to continue."""
        return 0 if self.reached else max(0, self.trials - len(self.started_ids)) + len(self.unfinished)

    @property
    def how_to_resume(self) -> str:
        """End of an error message about an interrupted run."""
        return "the same command resumes it" if self.configs else f"--name {self.name} --resume resumes it"

    def best_of_siblings(self) -> Sequence[Units]:
        """Configs to try first, from the store as it is now."""
        return best_of_siblings(self.paths.storage, self.request.warm_start, self.region, self.name, self.space)

    def name_in_use_error(self) -> ExperimentError:
        """The error for a name that another experiment of the region has."""
        return ExperimentError(
            f"experiment {self.name!r} of {self.region} already exists below {str(self.paths.storage)!r}; "
            "resume it with --resume, or give another --name"
        )


@dataclass(frozen=True)
class Experiment:
    """A plan and the writer of its results."""

    plan: Plan
    writer: ExperimentWriter
    ended_before: int | None = None
    """Number of trials that earlier runs ended; None where this is the first run."""


def make_plan(request: TuneRequest, *, siblings_to_come: bool = False) -> Plan:
    """Check a request against its pack and its storage. Raises a SkinTuneError for what cannot work.

    With `siblings_to_come` the experiments of `warm_start` need not exist yet.
    """
    pack = open_pack(request.pack.resolve())
    region = pack.info.region
    with _older_experiment_hint(request, region):
        space = check_request(request)
        _check_pack_and_space(space, pack, request)
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
def _older_experiment_hint(request: TuneRequest, region: str) -> Iterator[None]:
    """Add to an error that an older version did not note the space, where that may be its cause."""
    try:
        yield
    except SkinTuneError as error:
        if request.resume and request.name and not _has_noted_space(request, region):
            raise ExperimentError(f"{error}; {_GIVE_AGAIN}") from None
        raise


def _has_noted_space(request: TuneRequest, region: str) -> bool:
    file = RunPaths(request.storage.resolve()).spec(region, str(request.name))
    return not file.is_file() or bool(read_spec(file).noted)


def _trial_count(request: TuneRequest, space: Space) -> int:
    wanted = request.trials or space.run_cap
    if space.method != "grid":
        return wanted or DEFAULT_TRIALS
    combinations = sum(1 for _ in space.grid())
    return min(wanted or combinations, combinations)


def _check_pack_and_space(space: Space, pack: Pack, request: TuneRequest) -> None:
    """Reject values that make every trial fail; values that only some trials draw fail in those trials."""
    smallest = {
        parameter.name: min(parameter.values) if parameter.values else parameter.at(0.0)
        for parameter in space.parameters
        if parameter.is_constant or parameter.name in ("image_size", "batch_size")
    }
    config = TrialConfig.from_mapping({"seed": request.seed, **smallest})
    check_compatibility(config, pack, request.workers_per_trial)
    if all(parameter.is_constant for parameter in space.parameters if parameter.name in _OF_THE_NETWORK):
        check_network(config)


def _check_name(plan: Plan) -> None:
    exists = plan.spec_file.exists() or plan.paths.partition("trials", plan.region, plan.name).exists()
    if not plan.request.resume:
        if exists:
            raise plan.name_in_use_error()
        return
    if not plan.spec_file.is_file():
        raise ExperimentError(
            f"there is no experiment {plan.name!r} of {plan.region} below {str(plan.paths.storage)!r} to --resume"
        )
    stored = read_spec(plan.spec_file)
    if changes := stored.changes(plan.spec):
        hint = "--resume it with what it was started with, or give another --name" if stored.noted else _GIVE_AGAIN
        raise ExperimentError(
            f"experiment {plan.name!r} cannot be resumed, its trials would not compare: {'; '.join(changes)}; {hint}"
        )
