"""Experiments from request to ranked trials: check everything, start Ray, run Tune, keep the store."""

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack_uses import note_use
from skin_tune.errors import (
    AllTrialsFailedError,
    ClusterError,
    ClusterLostError,
    ExperimentError,
    SkinTuneError,
    WeightsError,
)
from skin_tune.model.network import load_weights
from skin_tune.paths import RunPaths, refitted
from skin_tune.results.store import ExperimentWriter, unfinished, usable
from skin_tune.training.checkpoint import load_run
from skin_tune.tuning.asked import read_asked
from skin_tune.tuning.live_line import announce, doing
from skin_tune.tuning.plan import Plan, TuneRequest, checked, taken
from skin_tune.tuning.space import Space
from skin_tune.tuning.stored_config import config_of
from skin_tune.tuning.target import Reached, first_to_reach
from skin_tune.tuning.wandb_sync import finish_runs
from skin_tune.wording import counted


@dataclass(frozen=True)
class Experiment:
    """A plan, and the writer of what comes of it."""

    plan: Plan
    writer: ExperimentWriter
    earlier: int | None = None
    """How many trials had ended when an earlier run was interrupted; None where there was no earlier run."""


@dataclass(frozen=True)
class Outcome:
    """An experiment that has ended. `rows` are those of the store's `trials`, best first."""

    region: str
    experiment: str
    metric: str
    rows: Sequence[Mapping[str, Any]]
    searched: Sequence[str]
    """Hyper-parameters that the space searches."""
    seconds: float | None
    """Of this run; None where nothing was left to run."""
    cut_off: Sequence[str]
    """Ids of trials that a budget, the target or a signal cut off: neither completed nor judged."""
    reached: Reached | None = None
    """Which trial reached the target, with which the experiment has ended."""
    ended_here: int | None = None
    """How many of the trials this run has ended, where it went on with an earlier one; None where it did not."""


def run_experiment(request: TuneRequest | Plan) -> Outcome:
    """Run an experiment to its end, to its budget, or to Ctrl-C.

    Everything the user gave is checked before Ray starts. Raises AllTrialsFailedError, with the commonest reason, where
    no trial gave a result.
    """
    (outcome,) = run_experiments([request])
    if isinstance(outcome, SkinTuneError):
        raise outcome
    return outcome


def run_experiments(requests: Sequence[TuneRequest | Plan], *, in_order: bool = False) -> list[Outcome | SkinTuneError]:
    """Run experiments of different regions on one cluster side by side.

    With `in_order` a region's trials start once those before it have all been started, so that it can start from what
    they found. Returns the outcome of each request, or the error that it ended with: one that cannot run does not stop
    the others.
    """
    started = time.monotonic()
    ends: list[Experiment | SkinTuneError] = []
    weights: dict[tuple[str, str], Any] = {}
    with ExitStack() as open_writers:
        for request in requests:
            try:
                plan = request if isinstance(request, Plan) else checked(request, siblings_to_come=in_order)
                writer = ExperimentWriter(plan.paths.storage, plan.region, plan.name)
                open_writers.callback(writer.close)
                earlier = sum(not unfinished(row) for row in writer.trials()) if writer.trials() else None
                plan = _taken_up(plan, writer)
                _check_budget(plan, writer)
                if plan.to_run:
                    weights |= _begun(plan, writer)
                else:
                    _finish_wandb(plan, writer)
                ends.append(Experiment(plan, writer, earlier))
            except SkinTuneError as error:
                ends.append(error)
        to_run = [end for end in ends if isinstance(end, Experiment) and end.plan.to_run]
        if to_run:
            doing("loading Ray")
            from skin_tune.tuning.run import run_trials  # Ray takes seconds to import: not before the checks above

            try:
                run_trials(to_run, weights, in_order=in_order)
            except ClusterLostError:
                for experiment in to_run:
                    _interrupted(experiment.writer)
                raise
            except ClusterError as error:
                for experiment in to_run:
                    _leave_no_trace(experiment.plan, experiment.writer)
                if len(to_run) == len(requests):
                    raise
                ends = [error if end in to_run else end for end in ends]
        return [_outcome(end, started) if isinstance(end, Experiment) else end for end in ends]


def ranked(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Mapping[str, Any]]:
    """Rows of the store's `trials`, best `metric` first; those that cannot win come last."""
    return sorted(rows, key=lambda row: (not usable(row, metric), -(row.get(metric) or 0.0)))


def _begun(plan: Plan, writer: ExperimentWriter) -> dict[tuple[str, str], Any]:
    """Note what was asked for; the starting weights of the experiment's trials."""
    if plan.asked_file.exists() and not plan.request.resume:  # a run of that name has come and gone since the check
        raise taken(plan)
    try:
        weights = _weights(plan.space)
    except WeightsError:
        _leave_no_trace(plan, writer)
        raise
    plan.asked.write(plan.asked_file)
    note_use(plan.pack, plan.paths, plan.name)
    return weights


def _leave_no_trace(plan: Plan, writer: ExperimentWriter) -> None:
    """Nothing has begun: the name stays free."""
    if not plan.request.resume:
        plan.asked_file.unlink(missing_ok=True)
        writer.discard()


def _outcome(experiment: Experiment, started: float) -> Outcome | AllTrialsFailedError:
    plan, writer = experiment.plan, experiment.writer
    cut_off = _interrupted(writer)
    rows = ranked(writer.trials(), plan.space.metric)
    if not any(usable(row, plan.space.metric) for row in rows):
        return AllTrialsFailedError(_why_all_failed(rows))
    return Outcome(
        region=plan.region,
        experiment=plan.name,
        metric=plan.space.metric,
        rows=rows,
        searched=[parameter.name for parameter in plan.space.searched],
        seconds=time.monotonic() - started if plan.to_run else None,
        cut_off=cut_off,
        reached=first_to_reach(rows, writer.epochs(), plan.space.metric, plan.space.target),
        ended_here=len(rows) - len(cut_off) - experiment.earlier if experiment.earlier is not None else None,
    )


def _finish_wandb(plan: Plan, writer: ExperimentWriter) -> None:
    if any(unfinished(row) for row in writer.trials()):  # the target was reached without them
        return
    if said := finish_runs(writer, plan.paths, plan.region, plan.name, plan.request.wandb):
        print(said, file=sys.stderr)


def _check_budget(plan: Plan, writer: ExperimentWriter) -> None:
    """Raise ExperimentError where earlier runs have spent the GPU-hours that this one may."""
    hours = sum(row.get("gpu_seconds") or 0.0 for row in writer.trials()) / 3600
    if plan.request.gpu_hours is not None and plan.to_run and hours >= plan.request.gpu_hours:
        raise ExperimentError(
            f"--gpu-hours {plan.request.gpu_hours:g}: experiment {plan.name!r} has spent {hours:.3g} already; give more"
        )


def _interrupted(writer: ExperimentWriter) -> list[str]:
    """Ids of the trials that are cut off now, which the store knows from now on."""
    cut_off = [row["trial_id"] for row in writer.trials() if unfinished(row)]
    for trial_id in cut_off:
        writer.update_trial(trial_id, status="interrupted")
    writer.flush()
    return cut_off


def _taken_up(plan: Plan, writer: ExperimentWriter) -> Plan:
    """`plan` with what an interrupted experiment has left."""
    to_go_on = _to_go_on(writer)
    _remove_leftovers(writer, plan.paths, plan.region, plan.name)
    taken = [row["trial_id"] for row in writer.trials()]
    if plan.configs:
        to_go_on += [dict(config) for config in plan.configs if config["trial_id"] not in taken]
        taken = [*taken, *(config["trial_id"] for config in plan.configs)]
    for config in to_go_on:
        row = writer.trial(config["trial_id"])
        if row and row["status"] != "running":  # stopped_early in stores of older versions
            writer.update_trial(config["trial_id"], status="interrupted")
        _recover_epochs(writer, plan, config["trial_id"])
    reached = first_to_reach(writer.trials(), writer.epochs(), plan.space.metric, plan.space.target)
    if plan.request.resume and not plan.configs and not reached:
        _say_what_differs(plan, len(taken))
    history: dict[str, dict[int, float]] = {}
    for row in writer.epochs():
        history.setdefault(row["trial_id"], {})[row["epoch"]] = row[plan.space.metric]
    for config in to_go_on:  # its last epoch will be reported again, and only then judged
        if epochs := history.get(config["trial_id"]):
            del epochs[max(epochs)]
    return replace(plan, taken=taken, unfinished=to_go_on, history=history, reached=reached)


def _remove_leftovers(writer: ExperimentWriter, paths: RunPaths, region: str, experiment: str) -> None:
    """Remove each `last.pt` that no trial is to go on from.

    A crash leaves them: of a trial whose end was written just before, or whose beginning was not written yet, and which
    will begin again. An interrupted refit's is its own.
    """
    known = {row["trial_id"] for row in writer.trials()}
    to_go_on = {row["trial_id"] for row in writer.trials() if unfinished(row)}
    for name in paths.resumable(region, experiment) - to_go_on:
        if refitted(name) not in known:
            (paths.checkpoints(region, experiment, name) / "last.pt").unlink()


def _say_what_differs(plan: Plan, started: int) -> None:
    earlier = read_asked(plan.asked_file)
    if earlier.trials != plan.trials:
        more = max(0, plan.trials - started)
        announce(
            f"experiment {plan.name!r} was started with {counted(earlier.trials, 'trial')}, "
            f"and is to have {plan.trials}: {started} have started, {more or 'none'} more will"
        )
    if earlier.target != plan.space.target:
        before, after = (target or "none" for target in (earlier.target, plan.space.target))
        announce(f"experiment {plan.name!r} was started with target {before}, and goes on with {after}")


def _to_go_on(writer: ExperimentWriter) -> list[dict[str, Any]]:
    """Configs, with `trial_id`, of the unfinished trials."""
    return [{**config_of(row).to_dict(), "trial_id": row["trial_id"]} for row in writer.trials() if unfinished(row)]


def _weights(space: Space) -> dict[tuple[str, str], Any]:
    values = {"weights": [TrialConfig.weights], "backbone": [TrialConfig.backbone]}
    for parameter in space.parameters:
        if parameter.name in values:
            values[parameter.name] = [str(value) for value in parameter.values]
    doing("fetching the starting weights" if "imagenet" in values["weights"] else "checking the experiment")
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
    state = load_run(folder / "last.pt")
    for metrics in state["history"]:
        writer.add_epoch(trial_id, metrics)
    writer.update_trial(trial_id, epochs=state["epoch"])
    writer.record_best(trial_id, state["best_metrics"], str(folder / "best.pt"))


def _why_all_failed(rows: Sequence[Mapping[str, Any]]) -> str:
    reasons = [row["error"] for row in rows if row.get("error")]
    if not reasons:
        return "no trial finished an epoch before the experiment was interrupted or out of time"
    commonest = max(reasons, key=reasons.count)
    return f"{'the only trial' if len(rows) == 1 else f'all {len(rows)} trials'} failed: {commonest}"
