"""One experiment from request to ranked trials: check everything, start Ray, run Tune, keep the store."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack, open_pack
from skin_tune.errors import AllTrialsFailedError, ExperimentError
from skin_tune.model.network import load_weights
from skin_tune.paths import RunPaths, check_experiment_name
from skin_tune.results.store import ExperimentWriter, now
from skin_tune.training.trainer import check_fit
from skin_tune.tuning.space import Space, load_space

DEFAULT_TRIALS = 32


@dataclass(frozen=True)
class TuneRequest:
    """What `tune` was asked for."""

    pack: Path
    space: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    trials: int | None = None
    """None: the space's run_cap, the size of its grid, or DEFAULT_TRIALS."""
    storage: Path = Path("runs")
    seed: int = 0
    cpus_per_trial: int | None = None
    gpus_per_trial: float | None = None
    concurrent: int | None = None
    time_budget: float | None = None
    """Seconds after which no trial goes on."""


@dataclass(frozen=True)
class Outcome:
    """An experiment that has ended. `rows` are those of the store's `trials`, best first."""

    region: str
    experiment: str
    metric: str
    rows: Sequence[Mapping[str, Any]]
    searched: Sequence[str]
    """Hyper-parameters that differ between the trials."""
    seconds: float
    interrupted: bool


def parse_duration(text: str) -> float:
    """``90``, ``45s``, ``30m``, ``2h`` or ``1h30m`` in seconds. Raises ExperimentError otherwise."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + seconds
    if not total:
        raise ExperimentError(f"--time-budget {text!r} is not a duration such as 45s, 30m, 2h or 1h30m")
    return float(total)


def run_experiment(request: TuneRequest) -> Outcome:
    """Run an experiment to its end, to its time budget, or to Ctrl-C.

    Everything the user gave is checked before Ray starts. Raises AllTrialsFailedError, with the commonest reason, where
    no trial gave a result.
    """
    storage = request.storage.resolve()
    pack = open_pack(request.pack.resolve())
    space = load_space(request.space, request.overrides)
    trials = _trial_count(request, space)
    if request.concurrent is not None and request.concurrent < 1:
        raise ExperimentError(f"--concurrent {request.concurrent} is below 1")
    _check_constants(space, pack, request.seed)
    region = pack.info.region
    name = check_experiment_name(request.name or f"{region}-{time.strftime('%Y%m%d-%H%M%S')}")
    _check_new(storage, region, name)
    weights = _weights(space)
    writer = ExperimentWriter(storage, region, name)

    from skin_tune.tuning.run import run_trials  # Ray takes seconds to import: not before the checks above

    started = time.monotonic()
    interrupted = run_trials(request, space, pack, name, trials, weights, writer)
    _end_running(writer)
    writer.flush(force=True)
    rows = ranked(writer.trials(), space.metric)
    if not any(row.get(space.metric) is not None for row in rows):
        raise AllTrialsFailedError(_why_all_failed(rows, interrupted))
    return Outcome(
        region=region,
        experiment=name,
        metric=space.metric,
        rows=rows,
        searched=[parameter.name for parameter in space.searched],
        seconds=time.monotonic() - started,
        interrupted=interrupted,
    )


def ranked(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Mapping[str, Any]]:
    """Rows of the store's `trials`, best `metric` first, those without one last. A diverged trial never wins."""

    def key(row: Mapping[str, Any]) -> tuple[bool, float]:
        value = row.get(metric)
        return row["status"] in ("diverged", "failed"), -value if value is not None else float("inf")

    return sorted(rows, key=key)


def _trial_count(request: TuneRequest, space: Space) -> int:
    if request.trials is not None and request.trials < 1:
        raise ExperimentError(f"--trials {request.trials} is below 1")
    asked = request.trials or space.run_cap
    if space.method != "grid":
        return asked or DEFAULT_TRIALS
    combinations = sum(1 for _ in space.grid())
    return min(asked or combinations, combinations)


def _check_constants(space: Space, pack: Pack, seed: int) -> None:
    """What every trial would fail on is an error now; what only some would is left to them."""
    fixed = {parameter.name: parameter.at(0.0) for parameter in space.parameters if parameter.is_constant}
    least = {name: 16 if name == "image_size" else 2 for name in ("image_size", "batch_size")}
    check_fit(TrialConfig.from_mapping({"seed": seed, **least, **fixed}), pack)


def _check_new(storage: Path, region: str, name: str) -> None:
    paths = RunPaths(storage)
    if paths.partition("trials", region, name).exists() or paths.experiment(region, name).exists():
        raise ExperimentError(
            f"experiment {name!r} of {region} already exists below {str(storage)!r}; give another --name"
        )


def _weights(space: Space) -> dict[tuple[str, str], Any]:
    values = {"weights": [TrialConfig.weights], "backbone": [TrialConfig.backbone]}
    for parameter in space.parameters:
        if parameter.name in values:
            values[parameter.name] = [str(value) for value in parameter.values]
    return {
        (weights, backbone): load_weights(weights, backbone)
        for weights in values["weights"]
        for backbone in values["backbone"]
    }


def _end_running(writer: ExperimentWriter) -> None:
    """Trials cut off by the time budget or Ctrl-C."""
    for row in writer.trials():
        if row["status"] == "running":
            writer.update_trial(row["trial_id"], status="stopped_early", ended_at=now())


def _why_all_failed(rows: Sequence[Mapping[str, Any]], interrupted: bool) -> str:
    reasons = [row["error"] for row in rows if row.get("error")]
    if not reasons:
        cut = "interrupted" if interrupted else "out of time"
        return f"no trial finished an epoch: the experiment was {cut}"
    commonest = max(reasons, key=reasons.count)
    return f"all {len(rows)} trials failed: {commonest}"
