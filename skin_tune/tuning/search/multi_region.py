"""Several experiments in one Tune run, each trial of which carries the region it belongs to.

One run, one pool of actors: whichever experiment has a trial to start gets the place that becomes free, in an actor
that is there already.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from skin_tune.tuning.search.asha import AshaRungs
from skin_tune.tuning.search.searcher import SpaceSearcher
from skin_tune.tuning.search.target import is_reached
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.trial.context import REGION

if TYPE_CHECKING:
    from skin_tune.tuning.search.settling import Settling


class RegionTargets(Stopper):
    """Ends each region's experiment once one of its trials reaches the target of its space, and the run with the last.

    The trials of an experiment that has ended stop with the next epoch they report, or at once where all have ended.
    Those of one that is settled run on, but none is started.
    """

    def __init__(self, spaces: Mapping[str, Space], settling: "Mapping[str, Settling]"):
        self._spaces, self._settling = spaces, settling
        self._ended: set[str] = set()

    def has_ended(self, region: str) -> bool:
        """Whether a trial of the region has reached its target."""
        return region in self._ended

    def starts_none(self, region: str) -> bool:
        """Whether the region's experiment has ended, or is settled."""
        settling = self._settling.get(region)
        return self.has_ended(region) or (settling is not None and settling.settled() is not None)

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        region = result["config"][REGION]
        space = self._spaces[region]
        if "status" not in result and is_reached(result[space.metric], space.target):
            self._ended.add(region)
        return region in self._ended

    def stop_all(self) -> bool:
        return len(self._ended) == len(self._spaces)


def _goes_on(region: str) -> bool:
    """`starts_none` of experiments that never end early."""
    return False


def _goes_unsaid(region: str) -> None:
    """`used_up` of experiments that nobody watches."""


class RegionSearcher(Searcher):
    """Suggests the next trial of the region that has the fewest on their way, the earliest of them first.

    `to_run` trials of each region are suggested. With `in_order` a region waits until those before it have no trial
    left to start. A trial whose config depends on earlier results is suggested one ahead of the `room` there is. None
    is suggested of a region that `starts_none` any more; one whose searcher has no config left is told to `used_up`.
    """

    def __init__(
        self,
        searchers: Mapping[str, SpaceSearcher],
        to_run: Mapping[str, int],
        *,
        room: Callable[[], int],
        in_order: bool = False,
        starts_none: Callable[[str], bool] = _goes_on,
        used_up: Callable[[str], None] = _goes_unsaid,
    ):
        super().__init__(metric=next(iter(searchers.values())).metric, mode="max")
        self._searchers, self._room, self._in_order, self._starts_none = searchers, room, in_order, starts_none
        self._used_up = used_up
        self._left = dict(to_run)
        self._running: Counter[str] = Counter()
        self._region_of: dict[str, str] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        waiting = [region for region, left in self._left.items() if left > 0 and not self._starts_none(region)]
        if not waiting:
            return Searcher.FINISHED
        region = waiting[0] if self._in_order else min(waiting, key=lambda name: self._running[name])
        searcher = self._searchers[region]
        if (self._in_order or searcher.learns) and self._running.total() > self._room():
            return None
        config = searcher.suggest(trial_id)
        if not isinstance(config, dict):
            self._left[region] = 0
            self._used_up(region)
            return self.suggest(trial_id)
        self._left[region] -= 1
        self._running[region] += 1
        self._region_of[trial_id] = region
        return {**config, REGION: region}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        region = self._region_of.pop(trial_id)
        self._running[region] -= 1
        self._searchers[region].on_trial_complete(trial_id, result, error)


class RegionScheduler(FIFOScheduler):
    """Judges each trial at the rungs of its own region; where a region has none, every trial runs to its end.

    Trials of a region that `starts_none` any more, and that wait for a place, are dropped.
    """

    def __init__(self, rungs: Mapping[str, AshaRungs | None], starts_none: Callable[[str], bool] = _goes_on):
        super().__init__()
        self._rungs, self._starts_none = rungs, starts_none

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        rungs = self._rungs[trial.config[REGION]]
        stopped = rungs is not None and rungs.stops(trial.config, result)
        return TrialScheduler.STOP if stopped else TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        region = trial.config[REGION]
        if not self._starts_none(region):
            return
        for other in tune_controller.get_trials():
            if other.status == Trial.PENDING and other.config[REGION] == region:
                tune_controller.stop_trial(other)


class RegionCallbacks(Callback):
    """Tells each region's callback of its own trials, and all of them of every step."""

    def __init__(self, callbacks: Mapping[str, Callback]):
        self._callbacks = callbacks

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._of(trial).on_trial_start(iteration, trials, trial, **info)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        self._of(trial).on_trial_result(iteration, trials, trial, result, **info)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._of(trial).on_trial_complete(iteration, trials, trial, **info)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._of(trial).on_trial_error(iteration, trials, trial, **info)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        for callback in self._callbacks.values():
            callback.on_step_end(iteration, trials, **info)

    def _of(self, trial: Trial) -> Callback:
        return self._callbacks[trial.config[REGION]]
