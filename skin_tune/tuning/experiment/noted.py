"""What an experiment notes when it begins, so that its name alone is enough to go on with it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from skin_tune.errors import ExperimentError
from skin_tune.tuning.space import EarlyTerminate, Parameter, Space

FLAGS = (
    *("trials", "seed", "workers_per_trial", "cpus_per_trial", "gpus_per_trial", "concurrent"),
    *("time_budget", "gpu_hours", "max_failures", "keep_checkpoints", "warm_start", "wandb"),
)
"""Fields of TuneRequest that are noted when an experiment begins, and hold until another value is given."""


def space_from(values: Mapping[str, Any]) -> Space:
    """The space whose `asdict` went through JSON. Raises ExperimentError where it is not that."""
    try:
        early_terminate = values["early_terminate"]
        parameters = tuple(Parameter(**_with_tuples(parameter)) for parameter in values["parameters"])
        return Space(
            **{
                **values,
                "parameters": parameters,
                "early_terminate": EarlyTerminate(**early_terminate) if early_terminate else None,
            }
        )
    except (KeyError, TypeError, AttributeError):
        raise ExperimentError("the space that the experiment's asked.json holds is not what was noted there") from None


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def as_noted(request: Any, space: Space, trials: int) -> dict[str, Any]:
    """What `space_from` and `resumed_request` read, as JSON holds it; `request` is a TuneRequest."""
    flags = {name: getattr(request, name) for name in FLAGS}
    flags |= {"trials": trials, "warm_start": list(request.warm_start)}
    return {"space": asdict(space), "overrides": dict(request.overrides), "flags": flags}
