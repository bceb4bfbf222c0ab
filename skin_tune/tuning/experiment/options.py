"""From the options of `tune`, typed as a command or given in Python, to a request."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skin_tune.storage.files import Location
from skin_tune.tuning.experiment.request import TuneRequest, parse_duration
from skin_tune.tuning.experiment.resumed_request import FLAGS, chosen_space, find_spec, resumed_request


def tune_request(
    pack: Location | None, region: str | None, overrides: Mapping[str, Any], options: Mapping[str, Any]
) -> TuneRequest:
    """The request of `options`: fields of TuneRequest, None where they were not given.

    `time_budget` is in seconds or of the form ``2h``, `space` a sweep file or its content. Without `pack` and `region`
    the one experiment of the name is resumed. Raises ExperimentError where there is none, and a SkinTuneError for a
    space or a duration that is none.
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
        space=chosen_space(region or "", space, overrides),
        name=name,
        storage=storage,
        resume=options["resume"],
        **typed,
    )
