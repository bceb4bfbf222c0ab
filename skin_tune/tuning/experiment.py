"""One experiment from request to ranked trials: check everything, start Ray, run Tune, keep the store."""

import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack import Pack, open_pack
from skin_tune.errors import AllTrialsFailedError, ClusterError, ExperimentError, WeightsError
from skin_tune.model.network import load_weights
from skin_tune.paths import RunPaths, check_experiment_name
from skin_tune.results.store import ExperimentWriter, now, usable
from skin_tune.training.checkpoint import load_checkpoint
from skin_tune.training.trainer import check_fit
from skin_tune.tuning.asked import Asked, read_asked
from skin_tune.tuning.space import Space, load_space
from skin_tune.tuning.wandb_log import check_mode

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
    workers_per_trial: int = 1
    cpus_per_trial: int | None = None
    gpus_per_trial: float | None = None
    concurrent: int | None = None
    time_budget: float | None = None
    """Seconds after which no trial goes on."""
    max_failures: int = 3
    """How often a trial whose process died goes on from its last epoch."""
    keep_checkpoints: int = 10
    """How many of the best trials keep their model once they are over."""
    wandb: str | None = None
    """online, offline or disabled; None: as wandb is configured."""
    resume: bool = False
    """Go on with the experiment `name`, which was interrupted."""


@dataclass(frozen=True)
class Plan:
    """A request that has been checked: what there is to run."""

    request: TuneRequest
    space: Space
    pack: Pack
    paths: RunPaths
    name: str
    trials: int
    """Trials the experiment has when it is complete."""
    started: int = 0
    """Trials that were started before an interruption."""
    unfinished: Sequence[Mapping[str, Any]] = ()
    """Configs, with `trial_id`, of those that go on from their last checkpoint."""
    history: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """The selection metric of earlier trials by id and epoch."""

    @property
    def region(self) -> str:
        return self.pack.info.region

    @property
    def asked(self) -> Asked:
        return Asked.of(self.pack, self.space, self.request.seed, self.trials)

    @property
    def to_run(self) -> int:
        return max(0, self.trials - self.started) + len(self.unfinished)


@dataclass(frozen=True)
class Outcome:
    """An experiment that has ended. `rows` are those of the store's `trials`, best first."""

    experiment: str
    metric: str
    rows: Sequence[Mapping[str, Any]]
    searched: Sequence[str]
    """Hyper-parameters that the space searches."""
    seconds: float
    cut_off: Sequence[str]
    """Ids of trials that the time budget or Ctrl-C cut off: neither completed nor judged."""


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
    started = time.monotonic()
    plan = _checked(request)
    writer = ExperimentWriter(plan.paths.storage, plan.region, plan.name)
    try:
        plan = _taken_up(plan, writer)
        if plan.to_run:
            _run(plan, writer)
        return _outcome(plan, writer, started)
    finally:
        writer.close()


def _outcome(plan: Plan, writer: ExperimentWriter, started: float) -> Outcome:
    cut_off = [row["trial_id"] for row in _unfinished(writer, plan)]
    for row in writer.trials():
        if row["status"] == "running":
            writer.update_trial(row["trial_id"], status="stopped_early", ended_at=now())
    writer.flush(force=True)
    rows = ranked(writer.trials(), plan.space.metric)
    if not any(usable(row, plan.space.metric) for row in rows):
        raise AllTrialsFailedError(_why_all_failed(rows))
    return Outcome(
        experiment=plan.name,
        metric=plan.space.metric,
        rows=rows,
        searched=[parameter.name for parameter in plan.space.searched],
        seconds=time.monotonic() - started,
        cut_off=cut_off,
    )


def ranked(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Mapping[str, Any]]:
    """Rows of the store's `trials`, best `metric` first; those that cannot win come last."""
    return sorted(rows, key=lambda row: (not usable(row, metric), -(row.get(metric) or 0.0)))


def _checked(request: TuneRequest) -> Plan:
    pack = open_pack(request.pack.resolve())
    space = load_space(request.space, request.overrides)
    if request.concurrent is not None and request.concurrent < 1:
        raise ExperimentError(f"--concurrent {request.concurrent} is below 1")
    if request.workers_per_trial < 1:
        raise ExperimentError(f"--workers-per-trial {request.workers_per_trial} is below 1")
    if request.max_failures < 0:
        raise ExperimentError(f"--max-failures {request.max_failures} is below 0")
    if request.keep_checkpoints < 1:
        raise ExperimentError(f"--keep-checkpoints {request.keep_checkpoints} is below 1")
    check_mode(request.wandb)
    if request.resume and request.name is None:
        raise ExperimentError("--resume needs the --name of the experiment to go on with")
    _check_fits(space, pack, request)
    region = pack.info.region
    plan = Plan(
        request=request,
        space=space,
        pack=pack,
        paths=RunPaths(request.storage.resolve()),
        name=check_experiment_name(request.name or f"{region}-{time.strftime('%Y%m%d-%H%M%S')}"),
        trials=_trial_count(request, space),
    )
    _check_name(plan)
    return plan


def _taken_up(plan: Plan, writer: ExperimentWriter) -> Plan:
    """`plan` with what an interrupted experiment has left."""
    unfinished = _unfinished(writer, plan)
    started = len(writer.trials())
    if plan.request.resume:
        _say_new_count(plan, started)
    for config in unfinished:
        _recover_epochs(writer, plan, config["trial_id"])
    history: dict[str, dict[int, float]] = {}
    for row in writer.epochs():
        history.setdefault(row["trial_id"], {})[row["epoch"]] = row[plan.space.metric]
    for config in unfinished:  # its last epoch will be reported again, and only then judged
        if epochs := history.get(config["trial_id"]):
            del epochs[max(epochs)]
    return replace(plan, started=started, unfinished=unfinished, history=history)


def _say_new_count(plan: Plan, started: int) -> None:
    earlier = read_asked(plan.paths.asked(plan.region, plan.name)).trials
    if earlier != plan.trials:
        more = max(0, plan.trials - started)
        print(
            f"experiment {plan.name!r} was started with {earlier} trials, and is to have {plan.trials}: "
            f"{started} have started, {more or 'none'} more will",
            file=sys.stderr,
        )


def _run(plan: Plan, writer: ExperimentWriter) -> None:
    asked = plan.paths.asked(plan.region, plan.name)
    if asked.exists() and not plan.request.resume:  # another run of that name has come and gone since it was checked
        raise _taken(plan)
    try:
        weights = _weights(plan.space)
        plan.asked.write(asked)

        from skin_tune.tuning.run import run_trials  # Ray takes seconds to import: not before the checks above

        run_trials(plan, weights, writer)
    except (WeightsError, ClusterError):
        if not plan.request.resume:  # nothing has begun: leave no trace, and the name free
            asked.unlink(missing_ok=True)
            writer.discard()
        raise


def _trial_count(request: TuneRequest, space: Space) -> int:
    if request.trials is not None and request.trials < 1:
        raise ExperimentError(f"--trials {request.trials} is below 1")
    asked = request.trials or space.run_cap
    if space.method != "grid":
        return asked or DEFAULT_TRIALS
    combinations = sum(1 for _ in space.grid())
    return min(asked or combinations, combinations)


def _check_fits(space: Space, pack: Pack, request: TuneRequest) -> None:
    """What every trial would fail on is an error now; what only some would is left to them."""
    least = {
        parameter.name: min(parameter.values) if parameter.values else parameter.at(0.0)
        for parameter in space.parameters
        if parameter.is_constant or parameter.name in ("image_size", "batch_size")
    }
    check_fit(TrialConfig.from_mapping({"seed": request.seed, **least}), pack, request.workers_per_trial)


def _taken(plan: Plan) -> ExperimentError:
    return ExperimentError(
        f"experiment {plan.name!r} of {plan.region} already exists below {str(plan.paths.storage)!r}; "
        "go on with it by --resume, or give another --name"
    )


def _check_name(plan: Plan) -> None:
    asked = plan.paths.asked(plan.region, plan.name)
    exists = asked.exists() or plan.paths.partition("trials", plan.region, plan.name).exists()
    if not plan.request.resume:
        if exists:
            raise _taken(plan)
        return
    if not asked.is_file():
        raise ExperimentError(
            f"there is no experiment {plan.name!r} of {plan.region} below {str(plan.paths.storage)!r} to --resume"
        )
    changes = read_asked(asked).changes(plan.asked)
    if changes:
        raise ExperimentError(
            f"experiment {plan.name!r} cannot go on, its trials would not compare: {'; '.join(changes)}; "
            "--resume it with what it was started with, or give another --name"
        )


def _unfinished(writer: ExperimentWriter, plan: Plan) -> list[dict[str, Any]]:
    """Configs, with `trial_id`, of trials that were cut off: running ones, and stopped ones that can still go on."""
    found = []
    for row in writer.trials():
        last = plan.paths.checkpoints(plan.region, plan.name, row["trial_id"]) / "last.pt"
        if row["status"] == "running" or (row["status"] == "stopped_early" and (last.is_file() or not row["epochs"])):
            config = {name.removeprefix("config/"): row[name] for name in row if name.startswith("config/")}
            found.append({**config, "trial_id": row["trial_id"]})
    return found


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


def _recover_epochs(writer: ExperimentWriter, plan: Plan, trial_id: str) -> None:
    """Enter epochs that a trial's checkpoint knows and the store does not: a crash loses the store's last seconds."""
    folder = plan.paths.checkpoints(plan.region, plan.name, trial_id)
    if not (folder / "last.pt").is_file():
        return
    state = load_checkpoint(folder / "last.pt")
    for metrics in state["history"]:
        writer.add_epoch(trial_id, metrics)
    writer.update_trial(trial_id, epochs=state["epoch"])
    writer.record_best(trial_id, state["best_metrics"], str(folder / "best.pt"))


def _why_all_failed(rows: Sequence[Mapping[str, Any]]) -> str:
    reasons = [row["error"] for row in rows if row.get("error")]
    if not reasons:
        return "no trial finished an epoch before the experiment was interrupted or out of time"
    commonest = max(reasons, key=reasons.count)
    return f"all {len(rows)} trials failed: {commonest}"
