"""The plan of an experiment: a request checked against its pack, its storage and what is stored there already."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from skin_tune.config import TrialConfig, Values, unread
from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.errors import ExperimentError, SkinTuneError
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.training.compatibility import check_compatibility, check_metric, check_network
from skin_tune.tuning.experiment.options import noted_space, settings_to_note
from skin_tune.tuning.experiment.request import TuneRequest, check_request
from skin_tune.tuning.experiment.spec import ExperimentSpec, in_words, read_spec
from skin_tune.tuning.experiment.trial_count import possible_trials, wanted_trials
from skin_tune.tuning.search.target import Reached
from skin_tune.tuning.search.warm_start import best_of_siblings, check_siblings
from skin_tune.tuning.space.configs import Configs, Units
from skin_tune.tuning.space.fitting import Limit, fitted
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.space.shipped import SCRATCH, shipped_folder
from skin_tune.tuning.tracking.live_line import announce

if TYPE_CHECKING:
    from skin_tune.results.statistics.settled import Settled

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
    defaults: Mapping[str, Any] = field(default_factory=lambda: TrialConfig().to_dict())
    """Value of each hyper-parameter that the space does not name: those of the version that started the experiment."""
    configs: Sequence[Mapping[str, Any]] = ()
    """Configs, with `trial_id`, that are all there is to run; empty where the space is searched."""
    started_ids: Collection[str] = ()
    """Ids of the trials that an earlier run started."""
    tried: Sequence[Values] = ()
    """Configs of those trials."""
    unfinished: Sequence[Mapping[str, Any]] = ()
    """Configs, with `trial_id`, of trials that continue from their last checkpoint."""
    history: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Selection metric of earlier trials by id and epoch."""
    reached: "Reached | Settled | None" = None
    """What ended the experiment and left nothing to run: a trial that reached the target, or that it settled."""

    @property
    def region(self) -> str:
        return self.pack.info.region

    @property
    def different_configs(self) -> Configs:
        """All configs that a search can suggest."""
        return Configs(self.space, {**self.defaults, "seed": self.request.seed})

    @property
    def spec(self) -> ExperimentSpec:
        request = self.request
        noted = settings_to_note(request, self.space, self.trials) | {"defaults": dict(self.defaults)}
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
        return best_of_siblings(
            self.paths.storage, self.request.warm_start, self.region, self.name, self.different_configs
        )

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
        fitting, lost = fitted(space, _limits(space, pack))
    plan = Plan(
        request=request,
        space=fitting,
        pack=pack,
        paths=RunPaths(request.storage.resolve()),
        name=request.name or f"{region}-{time.strftime('%Y%m%d-%H%M%S')}",
        trials=wanted_trials(request, fitting),
    )
    if request.warm_start and not siblings_to_come:
        check_siblings(plan.paths.storage, request.warm_start, region, plan.name)
    stored = _stored_spec(plan)
    if stored is not None:
        return _resumed(replace(plan, space=_as_started(space, fitting, stored)), stored)
    if request.space == shipped_folder() / SCRATCH:
        lost.insert(0, f"the weights start at random: searching {SCRATCH}, whose learning rates are made for that")
    named = {*request.overrides, *(parameter.name for parameter in fitting.searched)}
    dead = unread(sorted(named), {**{name: (value,) for name, value in plan.defaults.items()}, **fitting.options})
    trials, cut = possible_trials(plan.different_configs, plan.trials)
    for line in filter(None, (*lost, *dead, cut)):
        announce(f"{region}: {line}")
    return replace(plan, trials=trials)


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


def _check_pack_and_space(space: Space, pack: Pack, request: TuneRequest) -> None:
    """Reject values that make every trial fail; others leave the space, or fail in the trials that draw them."""
    smallest = {
        parameter.name: min(parameter.values) if parameter.values else parameter.at(0.0)
        for parameter in space.parameters
        if parameter.is_constant or parameter.name in ("image_size", "batch_size")
    }
    config = TrialConfig.from_mapping({"seed": request.seed, **smallest})
    check_compatibility(config, pack, request.workers_per_trial)
    check_metric(space.metric, pack)
    if all(parameter.is_constant for parameter in space.parameters if parameter.name in _OF_THE_NETWORK):
        check_network(config)


def _limits(space: Space, pack: Pack) -> dict[str, Limit]:
    """The largest values of hyper-parameters with which a trial on `pack` can start."""
    images = int(pack.class_counts("train").sum())
    drawn = next((parameter for parameter in space.parameters if parameter.name == "epoch_images"), None)
    longest = images
    if drawn is not None:
        lengths = drawn.values or (drawn.at(0.0), drawn.at(1.0))
        longest = max(int(length) if int(length) > 0 else images for length in lengths)
    batch = Limit(images, f"the training set has {images} images")
    if longest < images:
        batch = Limit(longest, f"an epoch has {longest} images at most")
    return {"batch_size": batch, "image_size": Limit(pack.info.size, f"crops of the pack have {pack.info.size} px")}


def _stored_spec(plan: Plan) -> ExperimentSpec | None:
    """The spec of the experiment to resume; None for a new one. Raises ExperimentError for a name that does not fit."""
    exists = plan.spec_file.exists() or plan.paths.partition("trials", plan.region, plan.name).exists()
    if not plan.request.resume:
        if exists:
            raise plan.name_in_use_error()
        return None
    if not plan.spec_file.is_file():
        raise ExperimentError(
            f"there is no experiment {plan.name!r} of {plan.region} below {str(plan.paths.storage)!r} to --resume"
        )
    return read_spec(plan.spec_file)


def _as_started(given: Space, fitting: Space, stored: ExperimentSpec) -> Space:
    """The space of an experiment, read again, with the rules of search of the version that started it.

    That version may have left values in the space that cannot work, and judged trials in their warm-up.
    """
    parameters = tuple(
        fit if in_words(fit) == stored.space.get(fit.name) else parameter
        for parameter, fit in zip(given.parameters, fitting.parameters, strict=True)
    )
    started = noted_space(stored.noted["space"]) if "space" in stored.noted else None
    after = started.early_terminate.after if started and started.early_terminate else 0
    return replace(
        given,
        parameters=parameters,
        early_terminate=given.early_terminate and replace(given.early_terminate, after=after),
        defaults_first=started is not None and started.defaults_first,
    )


def _resumed(plan: Plan, stored: ExperimentSpec) -> Plan:
    """`plan` with the defaults it was started with. Raises ExperimentError where its trials would be other ones."""
    plan = replace(plan, defaults=stored.defaults, trials=wanted_trials(plan.request, plan.space))
    if changes := stored.changes(plan.spec):
        hint = "--resume it with what it was started with, or give another --name" if stored.noted else _GIVE_AGAIN
        raise ExperimentError(
            f"experiment {plan.name!r} cannot be resumed, its trials would not compare: {'; '.join(changes)}; {hint}"
        )
    return plan
