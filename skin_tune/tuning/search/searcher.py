"""The space's method (bayes, random, grid) as a Ray Tune searcher."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ray.tune.search import Searcher

from skin_tune.config import TrialConfig, Values, key_of
from skin_tune.tuning.search.tpe import RANDOM_FIRST, Proposal, Tpe
from skin_tune.tuning.space.configs import Configs, Units
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.trial.context import TRIAL_ID

_ATTEMPTS = 3
"""How often TPE may propose what has been run before."""
_DRAWS = 1_000
"""How often a random draw may be what has been run before."""
_MOST_LISTED = 10_000
"""Configs of a space among which an unused one is chosen, where draws keep repeating others."""


class SpaceSearcher(Searcher):
    """Suggests full configs from a space: all of a grid, independent draws, or Optuna's TPE for `bayes`.

    Every config carries its `trial_id`, ``<experiment>-<number>``. No config has the canonical form of another, or of
    those `tried` by earlier runs: a draw or proposal that has is drawn again, and where that goes on, one of the unused
    is taken at random. A space without an unused config ends the search. What is suggested for number n is decided by
    the seed, n, the configs before it and, for `bayes`, the results told, so that a resumed search suggests what an
    unbroken one would. A trial counts with its best epoch, whether it was completed or stopped early: the first ones to
    reach ASHA's rungs pass them however bad they are, and are not to rank above better ones that were stopped. One that
    diverged ranks below them all.

    What the space does not name has its value in `defaults`, by default today's.
    An earlier run started the trials whose ids are in `started_ids`; configs of the `unfinished` ones are suggested
    first. The space may ask for a first trial of the defaults, which any search should beat; a parameter that cannot
    draw its default has the middle of its distribution there. `warm_start` is called when the first config after it is
    due, for configs to try next, before those of the method.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        experiment: str,
        journal: Path,
        *,
        defaults: Mapping[str, Any] | None = None,
        started_ids: Collection[str] = (),
        tried: Sequence[Values] = (),
        unfinished: Sequence[Mapping[str, Any]] = (),
        warm_start: Callable[[], Sequence[Units]] = tuple,
    ):
        super().__init__(metric=space.metric, mode="max")
        self._space, self._seed, self._experiment = space, seed, experiment
        self._defaults = {**(defaults or TrialConfig().to_dict()), "seed": seed}
        self._configs = Configs(space, self._defaults)
        self._tpe = Tpe(self._configs, seed, journal, space.metric) if space.method == "bayes" else None
        self._tried = {key_of(config) for config in tried}
        self._started_ids = set(started_ids)
        self._number = 0
        self._skip_started()
        self._unfinished = [dict(config) for config in unfinished]
        self._warm_start = warm_start
        self._proposals: dict[str, Proposal] = {}

    @property
    def learns(self) -> bool:
        """Whether the next config depends on the results of earlier trials."""
        return self._tpe is not None and not self._unfinished and self._number >= RANDOM_FIRST

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        return True

    def suggest(self, ray_trial_id: str) -> dict[str, Any] | str | None:
        if self._unfinished:
            config = self._unfinished.pop(0)
            if self._tpe and (proposal := self._tpe.proposed_before(config[TRIAL_ID])):
                self._proposals[ray_trial_id] = proposal
            return config
        found = self._next(ray_trial_id)
        if found is None:
            return Searcher.FINISHED
        self._tried.add(key_of(found))
        config = {**found, TRIAL_ID: self._next_id()}
        self._number += 1
        self._skip_started()
        return config

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        proposal = self._proposals.pop(trial_id, None)  # Ray's own id
        if proposal is not None and self._tpe is not None:
            self._tpe.tell(proposal, result, error)

    def _next(self, ray_trial_id: str) -> dict[str, Any] | None:
        """The config of the next number; None where all have been run."""
        if self._space.method == "grid":
            return next(self._grid, None)
        chosen = self._chosen()
        if self._tpe is None:
            return self._configs.at(chosen) if chosen else self._drawn()
        proposal = self._tpe.proposed_before(self._next_id())  # and interrupted before it started
        if proposal is None:
            proposal = self._tpe.enter(chosen) if chosen else self._proposed(self._tpe)
            if proposal is None:
                return None
            self._tpe.accept(proposal, self._next_id())
        self._proposals[ray_trial_id] = proposal
        return proposal.config

    def _proposed(self, tpe: Tpe) -> Proposal | None:
        for attempt in range(_ATTEMPTS):
            proposal = tpe.propose(self._number, attempt)
            if self._is_new(proposal.config):
                return proposal
            tpe.refuse(proposal)
        config = self._drawn()
        units = None if config is None else self._configs.units_of(config)
        return None if units is None else tpe.enter(units)

    def _drawn(self) -> dict[str, Any] | None:
        """An independent draw; where those keep repeating what has been run, one of the unused at random."""
        rng = np.random.default_rng([self._seed, self._number])
        for _ in range(_DRAWS):
            values = self._space.sample(rng)
            config = self._configs.assign(lambda parameter, values=values: values[parameter.name])  # type: ignore[misc]
            if self._is_new(config):
                return config
        unused = list(filter(self._is_new, self._all))
        return unused[rng.integers(len(unused))] if unused else None

    def _chosen(self) -> Units | None:
        """The config to try as this number whatever the method would draw, if there is one that is new."""
        first = [self._space.units_of(self._defaults)] if self._space.defaults_first else []
        place = self._number - len(first)
        units = first[0] if place < 0 else self._warm[place] if place < len(self._warm) else None
        return units if units is not None and self._is_new(self._configs.at(units)) else None

    @cached_property
    def _warm(self) -> list[Units]:
        """Configs to try first after the defaults, each once."""
        first = [self._space.units_of(self._defaults)] if self._space.defaults_first else []
        by_key = {key_of(self._configs.at(units)): units for units in first}
        for units in self._warm_start():
            by_key.setdefault(key_of(self._configs.at(units)), units)
        return list(by_key.values())[len(first) :]

    @cached_property
    def _grid(self) -> Iterator[dict[str, Any]]:
        """What is left of a grid."""
        return filter(self._is_new, self._configs.listed(math.inf) or ())

    @cached_property
    def _all(self) -> list[dict[str, Any]]:
        """Every config of a space that is not large; else none."""
        return self._configs.listed(_MOST_LISTED) or []

    def _is_new(self, config: Values) -> bool:
        return key_of(config) not in self._tried

    def _next_id(self) -> str:
        return f"{self._experiment}-{self._number:03d}"

    def _skip_started(self) -> None:
        """Go on to the next number of which no trial was started: trials need not start in their order."""
        while self._next_id() in self._started_ids:
            self._number += 1
