"""Experiments from request to ranked trials: check everything, start Ray, run Tune, keep the store."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from skin_tune.config import TrialConfig
from skin_tune.config.choices import is_timm
from skin_tune.data.pack.uses import forget_use, note_use
from skin_tune.errors import (
    AllTrialsFailedError,
    ClusterError,
    ClusterLostError,
    ConfigError,
    EnvironmentVariableError,
    ExperimentError,
    SkinTuneError,
    WeightsError,
)
from skin_tune.processes.loading import quick_imports
from skin_tune.results.store.status import unfinished, usable
from skin_tune.results.store.tables import trials_frame
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.experiment.budget import budgets_of
from skin_tune.tuning.experiment.ending import ending_of
from skin_tune.tuning.experiment.plan import Experiment, Plan, make_plan
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.resume import mark_interrupted, restore
from skin_tune.tuning.search.target import Reached
from skin_tune.tuning.space.bounds import bound_warnings
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.tracking.live_line import announce, doing
from skin_tune.tuning.tracking.wandb_sync import finish_runs
from skin_tune.tuning.trial.stored_config import COLUMNS

if TYPE_CHECKING:
    from skin_tune.results.statistics.settled import Settled

_CANNOT_START = (ClusterError, EnvironmentVariableError)
"""What is raised before any trial starts, unless it is a ClusterLostError."""


@dataclass(frozen=True)
class Outcome:
    """An experiment that has ended. `rows` are its rows of the store's `trials`, best first."""

    region: str
    experiment: str
    metric: str
    rows: Sequence[Mapping[str, Any]]
    searched: Sequence[str]
    """Hyper-parameters that the space searches."""
    seconds: float | None
    """Duration of this run; None where nothing was left to run."""
    interrupted: Sequence[str]
    """Ids of trials that a budget, the target or a signal interrupted."""
    reached: "Reached | Settled | None" = None
    """What ended the experiment: a trial that reached the target, or that it settled."""
    ended_here: int | None = None
    """Number of trials that this run ended, where it resumed an earlier one; else None."""
    warnings: Sequence[str] = ()
    """Lines on bounds of the space that the best trials have come up against."""

    @property
    def trials(self) -> pd.DataFrame:
        """`rows` with the columns and types of `load_trials`, best first."""
        return trials_frame(self.rows, self.region, self.experiment, COLUMNS)


def run_experiment(request: TuneRequest | Plan) -> Outcome:
    """Run an experiment to its end, its target, its budget, or Ctrl-C.

    Everything that can be checked without a cluster is checked before Ray starts. Raises AllTrialsFailedError, with the
    commonest reason, where no trial gave a result.
    """
    (outcome,) = run_experiments([request])
    if isinstance(outcome, SkinTuneError):
        raise outcome
    return outcome


def run_experiments(requests: Sequence[TuneRequest | Plan], *, in_order: bool = False) -> list[Outcome | SkinTuneError]:
    """Run experiments of different regions side by side on one cluster.

    With `in_order` a region's trials start once those of the regions before it have all started, so that it can start
    from their configs. Returns the outcome of each request, or its error: one that cannot run does not stop the others.
    """
    started = time.monotonic()
    results: list[Experiment | SkinTuneError] = []
    weights: dict[tuple[str, str], Any] = {}
    with ExitStack() as open_writers:
        for request in requests:
            try:
                experiment = _open(request, open_writers, siblings_to_come=in_order)
                if experiment.plan.to_run:
                    weights |= _start(experiment)
                else:
                    _finish_wandb(experiment)
                results.append(experiment)
            except SkinTuneError as error:
                results.append(error)
        to_run = [result for result in results if isinstance(result, Experiment) and result.plan.to_run]
        if to_run:
            try:
                _run(to_run, weights, in_order)
            except _CANNOT_START as error:
                if isinstance(error, ClusterLostError) or len(to_run) == len(requests):
                    raise
                results = [error if result in to_run else result for result in results]
        return [_outcome(result, started) if isinstance(result, Experiment) else result for result in results]


def ranked(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Mapping[str, Any]]:
    """Rows of the store's `trials`, best `metric` first; unusable ones last."""
    return sorted(rows, key=lambda row: (not usable(row, metric), -(row.get(metric) or 0.0)))


def _open(request: TuneRequest | Plan, open_writers: ExitStack, *, siblings_to_come: bool) -> Experiment:
    """Plan an experiment, lock it, and restore what earlier runs of it left."""
    plan = request if isinstance(request, Plan) else make_plan(request, siblings_to_come=siblings_to_come)
    writer = ExperimentWriter(plan.paths.storage, plan.region, plan.name)
    open_writers.callback(writer.close)
    ended_before = sum(not unfinished(row) for row in writer.trials()) if writer.trials() else None
    plan = restore(plan, writer)
    _check_budget(plan, writer)
    return Experiment(plan, writer, ended_before)


def _start(experiment: Experiment) -> dict[tuple[str, str], Any]:
    """Write the experiment's spec; returns the starting weights of its trials."""
    plan = experiment.plan
    if plan.spec_file.exists() and not plan.request.resume:  # another run took the name since it was checked
        raise plan.name_in_use_error()
    try:
        weights = _weights(plan.space)
    except (ConfigError, WeightsError):
        _roll_back(experiment)
        raise
    plan.spec.write(plan.spec_file)
    note_use(plan.pack, plan.paths, plan.name)
    return weights


def _run(experiments: Sequence[Experiment], weights: dict[tuple[str, str], Any], in_order: bool) -> None:
    doing("loading Ray")
    with quick_imports():
        from skin_tune.tuning.backend.cluster import connect  # takes a second: not before the checks

    request = experiments[0].plan.request
    try:
        connect(worker_groups=request.workers_per_trial > 1, gpus=request.gpus_per_trial != 0)
        with quick_imports():  # Ray Tune, while Ray's processes start
            from skin_tune.tuning.experiment.tune_run import run_trials
        run_trials(experiments, weights, in_order=in_order)
    except ClusterLostError:
        for experiment in experiments:
            mark_interrupted(experiment.writer)
        raise
    except _CANNOT_START:
        for experiment in experiments:
            _roll_back(experiment)
        raise


def _roll_back(experiment: Experiment) -> None:
    """Free the name of an experiment that could not start."""
    if not experiment.plan.request.resume:
        experiment.plan.spec_file.unlink(missing_ok=True)
        forget_use(experiment.plan.pack, experiment.plan.paths, experiment.plan.name)
        experiment.writer.discard()


def _finish_wandb(experiment: Experiment) -> None:
    """Close the wandb runs that a kill left open, where every trial is over."""
    plan, writer = experiment.plan, experiment.writer
    if any(unfinished(row) for row in writer.trials()):  # the target was reached without them
        return
    for message in finish_runs(writer, plan.paths, plan.region, plan.name, plan.request.wandb).splitlines():
        announce(message)


def _outcome(experiment: Experiment, started: float) -> Outcome | AllTrialsFailedError:
    plan, writer, ended_before = experiment.plan, experiment.writer, experiment.ended_before
    interrupted = mark_interrupted(writer)
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
        interrupted=interrupted,
        reached=ending_of(plan, writer),
        ended_here=len(rows) - len(interrupted) - ended_before if ended_before is not None else None,
        warnings=bound_warnings(plan.space, [row for row in rows if usable(row, plan.space.metric)]),
    )


def _check_budget(plan: Plan, writer: ExperimentWriter) -> None:
    """Raise ExperimentError where earlier runs used up a budget."""
    for budget in budgets_of(plan.request) if plan.to_run else ():
        if budget.is_spent([writer]):
            spent = budget.spent([writer])
            raise ExperimentError(
                f"{budget.flag} {budget.amount:.12g}: experiment {plan.name!r} has spent "
                f"{spent:{'.3g' if spent < 1000 else '.0f'}} already; give more"
            )


def _weights(space: Space) -> dict[tuple[str, str], Any]:
    values = {"weights": [TrialConfig.weights], "backbone": [TrialConfig.backbone]}
    for parameter in space.parameters:
        if parameter.name in values:
            values[parameter.name] = [str(value) for value in parameter.values]
    doing("fetching the starting weights" if "imagenet" in values["weights"] else "checking the experiment")
    return {
        (weights, backbone): _loaded(weights, backbone)
        for weights in values["weights"]
        for backbone in values["backbone"]
    }


def _loaded(weights: str, backbone: str) -> Any:
    """As `load_weights`, without its seconds of loading PyTorch where there is nothing to load."""
    if weights == "none" and not is_timm(backbone):
        return None
    from skin_tune.model.network import load_weights

    return load_weights(weights, backbone)


def _why_all_failed(rows: Sequence[Mapping[str, Any]]) -> str:
    reasons = [row["error"] for row in rows if row.get("error")]
    if not reasons:
        return "no trial finished an epoch before the experiment was interrupted or out of time"
    commonest = max(reasons, key=reasons.count)
    return f"{'the only trial' if len(rows) == 1 else f'all {len(rows)} trials'} failed: {commonest}"
