"""How an experiment goes on: with what it was begun with, but for what is typed again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skin_tune.errors import ExperimentError
from skin_tune.paths import RunPaths, check_experiment_name, find_space, location
from skin_tune.tuning.asked import Asked, read_asked
from skin_tune.tuning.noted import FLAGS, space_from
from skin_tune.tuning.plan import TuneRequest
from skin_tune.tuning.space import Space
from skin_tune.tuning.space_file import with_constants


def find_asked(storage: Path, name: str, region: str | None = None) -> tuple[str, Asked]:
    """Region and beginning of the experiment `name` below `storage`.

    Raises ExperimentError where there is none, or several regions have one.
    """
    paths = RunPaths(storage.resolve())
    check_experiment_name(name)
    files = sorted((paths.storage / "experiments").glob(f"{region or '*'}/{name}/asked.json"))
    if not files:
        of = f" of {region}" if region else ""
        raise ExperimentError(f"there is no experiment {name!r}{of} below {str(storage)!r} to --resume")
    if len(files) > 1:
        regions = ", ".join(file.parent.parent.name for file in files)
        raise ExperimentError(f"{regions} have an experiment {name!r} each; give the PACK of the one to --resume")
    return files[0].parent.parent.name, read_asked(files[0])


def resumed_request(region: str, asked: Asked, storage: Path, name: str, typed: Mapping[str, Any]) -> TuneRequest:
    """The request that goes on with an experiment: what was `typed` (names of TuneRequest's fields), else as it began.

    `space` is the file that was typed, if one was. Experiments of older versions have noted no more than pack, seed,
    trials and warm start: the rest must be typed again, or is as for a new one.
    """
    noted = asked.noted
    known = noted.get("flags") or {"seed": asked.seed, "trials": asked.trials, "warm_start": asked.warm_start}
    flags = {key: value for key, value in known.items() if key in FLAGS}
    flags |= {key: value for key, value in typed.items() if key in FLAGS}
    overrides = {**noted.get("overrides", {}), **typed.get("overrides", {})}
    space: Path | Space
    if typed.get("space") is None and "space" in noted:
        space = with_constants(space_from(noted["space"]), typed.get("overrides", {}))
    else:
        space = find_space(region, typed.get("space"))
    pack = typed.get("pack") or location(asked.pack)
    return TuneRequest(pack=pack, space=space, overrides=overrides, name=name, storage=storage, resume=True, **flags)
