"""The spec of an experiment: what it was started with, compared with what it is resumed with."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ExperimentError
from skin_tune.results.store.notes import note_as, wrong_spec
from skin_tune.storage.files import Location, atomic_write, cannot_write
from skin_tune.tuning.space.parameters import Parameter, Space


@dataclass(frozen=True)
class ExperimentSpec:
    """Kept as `asked.json` in the experiment's folder."""

    pack: str
    """Path of the pack's file."""
    pack_id: str
    seed: int
    trials: int
    metric: str
    """The metric that the best epoch and the best trial are chosen by."""
    warm_start: list[str]
    """Regions and experiments whose best configs are tried first."""
    space: dict[str, str]
    """How the search goes, and each parameter in words."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Images of the pack per split and class name, classes in ordinal order; empty in files of older versions."""
    noted: dict[str, Any] = field(default_factory=dict)
    """Settings of the request, from which the experiment is resumed; empty in files of older versions."""
    target: float | None = None
    """The metric's value with which the experiment ends; it may be another when it is resumed."""

    @classmethod
    def of(
        cls,
        pack: Pack,
        space: Space,
        seed: int,
        trials: int,
        warm_start: Sequence[str],
        noted: dict[str, Any] | None = None,
    ) -> "ExperimentSpec":
        return cls(
            pack=str(pack.path),
            pack_id=pack.info.pack_id,
            seed=seed,
            trials=trials,
            metric=space.metric,
            warm_start=list(warm_start),
            counts=pack.info.counts,
            target=space.target,
            noted=noted or {},
            space={
                "method": space.method,
                "early_terminate": repr(space.early_terminate),
                **{parameter.name: in_words(parameter) for parameter in space.parameters},
            },
        )

    def write(self, path: Location) -> None:
        """Raises StoreError where `path` cannot be written."""
        try:
            with atomic_write(path) as file:
                file.write_text(json.dumps(asdict(self), indent=1))
        except OSError as error:
            raise cannot_write(path.parent, error) from None

    def changes(self, now: "ExperimentSpec") -> list[str]:
        """Differences of `now` that would change trials, each as ``seed was 0, is 1``.

        A hyper-parameter that one of them does not name has its default there.
        """
        before, after = self._making_trials(), now._making_trials()
        whole_before, whole_after = self._defaults_in_words() | before, now._defaults_in_words() | after
        return [
            f"{name} was {before.get(name, 'not in the space')}, is {after.get(name, 'not in the space')}"
            for name in {**before, **after}
            if whole_before.get(name) != whole_after.get(name)
        ]

    @property
    def defaults(self) -> dict[str, str | int | float | bool]:
        """The value of each hyper-parameter that the space does not name, also if today's default is another."""
        return TrialConfig.from_stored(self.noted.get("defaults", {})).to_dict()

    def _defaults_in_words(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.defaults.items()}

    def _making_trials(self) -> dict[str, str]:
        run = {"pack": self.pack_id, "seed": str(self.seed), "metric": self.metric}
        return {**run, "warm start": ", ".join(self.warm_start) or "none", **self.space}


def read_spec(path: Location) -> ExperimentSpec:
    """Read a spec that `ExperimentSpec.write` wrote. Raises ExperimentError if the file is not one."""
    if spec := note_as(ExperimentSpec, path, wrong_spec):
        return spec
    raise ExperimentError(f"{str(path)!r} is not what this program writes when an experiment starts")


def defaults_of(path: Location) -> dict[str, str | int | float | bool]:
    """The defaults of the experiment whose spec is at `path`; today's where it has not been started."""
    return read_spec(path).defaults if path.is_file() else TrialConfig().to_dict()


def in_words(parameter: Parameter) -> str:
    """A parameter as an experiment notes it, to tell whether it is resumed with the same one."""
    if parameter.is_constant:
        return str(parameter.values[0])
    if parameter.values:
        odds = f" with probabilities {list(parameter.probabilities)}" if parameter.probabilities else ""
        return f"one of {', '.join(map(str, parameter.values))}{odds}"
    low, high = parameter.shape
    step = f", steps of {parameter.q}" if parameter.distribution.startswith("q_") else ""
    return f"{parameter.distribution}({low}, {high}{step})"
