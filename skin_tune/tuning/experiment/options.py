"""From options to a request, new or that resumes an experiment with the settings it was started with."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from skin_tune.errors import ExperimentError
from skin_tune.storage.files import Location, location, sorted_glob
from skin_tune.storage.run_paths import RunPaths, check_experiment_name
from skin_tune.tuning.experiment.request import TuneRequest, parse_duration
from skin_tune.tuning.experiment.spec import ExperimentSpec, read_spec
from skin_tune.tuning.space.parameters import EarlyTerminate, Parameter, Space
from skin_tune.tuning.space.shipped import find_space
from skin_tune.tuning.space.sweep_file import space_of, with_constants

FLAGS = (
    *("trials", "seed", "workers_per_trial", "cpus_per_trial", "gpus_per_trial", "concurrent"),
    *("time_budget", "gpu_hours", "image_budget", "until", "max_failures", "keep_checkpoints", "warm_start", "wandb"),
    "tensorboard",
)
"""Fields of TuneRequest that an experiment notes when it starts; each holds until another value is given."""


def tune_request(
    pack: Location | None, region: str | None, overrides: Mapping[str, Any], options: Mapping[str, Any]
) -> TuneRequest:
    """The request of `options`: fields of TuneRequest, None where they were not given.

    `time_budget` is in seconds or of the form ``2h``, `space` a sweep file or its content. Without `pack` and `region`
    the one experiment of the name is resumed. Raises ExperimentError where there is none, and another
    SkinTuneError if the space or the duration is invalid.
    """
    typed = {name: options[name] for name in FLAGS if options.get(name) is not None}
    if isinstance(typed.get("time_budget"), str):
        typed["time_budget"] = parse_duration(typed["time_budget"])
    typed["overrides"] = overrides
    name, storage, space = options["name"], options["storage"], options["space"]
    if options["resume"] and name is not None:
        region, spec = find_spec(storage, name, region)
        return resumed_request(region, spec, storage, name, typed | {"pack": pack, "space": space})
    return TuneRequest(
        pack=pack or Path(),
        space=space_of(space, overrides) if isinstance(space, Mapping) else find_space(region or "", space, overrides),
        name=name,
        storage=storage,
        resume=options["resume"],
        **typed,
    )


def settings_to_note(request: TuneRequest, space: Space, trials: int) -> dict[str, Any]:
    """Settings to note for `resumed_request`, as JSON holds them."""
    flags = {name: getattr(request, name) for name in FLAGS}
    flags |= {"trials": trials, "warm_start": list(request.warm_start)}
    return {"space": asdict(space), "overrides": dict(request.overrides), "flags": flags}


def find_spec(storage: Location, name: str, region: str | None = None) -> tuple[str, ExperimentSpec]:
    """Region and spec of the experiment `name` below `storage`.

    Raises ExperimentError where there is none, or several regions have one.
    """
    paths = RunPaths(storage.resolve())
    check_experiment_name(name)
    files = sorted_glob(paths.storage / "experiments", f"{region or '*'}/{name}/asked.json")
    if not files:
        of = f" of {region}" if region else ""
        raise ExperimentError(f"there is no experiment {name!r}{of} below {str(storage)!r} to --resume")
    if len(files) > 1:
        regions = ", ".join(file.parent.parent.name for file in files)
        raise ExperimentError(f"{regions} have an experiment {name!r} each; give the PACK of the one to --resume")
    return files[0].parent.parent.name, read_spec(files[0])


def resumed_request(
    region: str, spec: ExperimentSpec, storage: Location, name: str, typed: Mapping[str, Any]
) -> TuneRequest:
    """The request that resumes an experiment: `typed` fields of TuneRequest, and the noted ones for the rest.

    `typed["space"]` is the file that was typed, or the content of one, if any was. Experiments of older versions noted
    only pack, seed, trials and warm start: the rest must be typed again, or is as for a new experiment.
    """
    noted = spec.noted
    started_with = noted.get("flags") or {"seed": spec.seed, "trials": spec.trials, "warm_start": spec.warm_start}
    flags = {key: value for key, value in started_with.items() if key in FLAGS}
    flags |= {key: value for key, value in typed.items() if key in FLAGS}
    overrides = {**noted.get("overrides", {}), **typed.get("overrides", {})}
    space: Location | Space
    if typed.get("space") is None and "space" in noted:
        space = with_constants(noted_space(noted["space"]), typed.get("overrides", {}))
    else:
        given = typed.get("space")
        space = space_of(given, overrides) if isinstance(given, Mapping) else find_space(region, given)
    pack = typed.get("pack") or location(spec.pack)
    return TuneRequest(pack=pack, space=space, overrides=overrides, name=name, storage=storage, resume=True, **flags)


def noted_space(values: Mapping[str, Any]) -> Space:
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
