"""Resuming an experiment: what an interrupted run left in the store and beside it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from skin_tune.data.pack.folds import Fold
from skin_tune.results.store.status import unfinished
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths, refitted
from skin_tune.text.wording import counted
from skin_tune.tuning.experiment.ending import ending_of
from skin_tune.tuning.experiment.plan import Plan
from skin_tune.tuning.experiment.spec import read_spec
from skin_tune.tuning.experiment.trial_count import possible_trials
from skin_tune.tuning.tracking.live_line import announce
from skin_tune.tuning.trial.context import FOLD
from skin_tune.tuning.trial.stored_config import config_of, values_of


def restore(plan: Plan, writer: ExperimentWriter) -> Plan:
    """`plan`, completed by what earlier runs of the experiment left; the store is brought up to date."""
    unfinished_configs = resumable_configs(writer)
    remove_leftovers(writer, plan.paths, plan.region, plan.name)
    started_ids = [row["trial_id"] for row in writer.trials()]
    if plan.configs:
        unfinished_configs += [dict(config) for config in plan.configs if config["trial_id"] not in started_ids]
        started_ids = [*started_ids, *(config["trial_id"] for config in plan.configs)]
    for config in unfinished_configs:
        row = writer.trial(config["trial_id"])
        if row and row["status"] != "running":  # stopped_early in stores of older versions
            writer.update_trial(config["trial_id"], status="interrupted")
        _recover_epochs(writer, plan, config)
    reached = ending_of(plan, writer)
    if not plan.configs:
        tried = [values_of(row) for row in writer.trials()]
        trials, cut = possible_trials(plan.different_configs, plan.trials, len(started_ids), tried)
        plan = replace(plan, trials=trials, tried=tried)
        if plan.request.resume and not reached:
            _announce_changes(plan, len(started_ids))
            if cut:
                announce(f"{plan.region}: {cut}")
    return replace(
        plan,
        started_ids=started_ids,
        unfinished=unfinished_configs,
        history=_judged_history(writer, plan.space.metric, [config["trial_id"] for config in unfinished_configs]),
        reached=reached,
    )


def resumable_configs(writer: ExperimentWriter) -> list[dict[str, Any]]:
    """Configs, with `trial_id` and the fold if there is one, of the unfinished trials."""
    return [
        {**config_of(row).to_dict(), "trial_id": row["trial_id"], **_fold_in(row)}
        for row in writer.trials()
        if unfinished(row)
    ]


def _fold_in(row: Mapping[str, Any]) -> dict[str, Fold]:
    if row.get("fold") is None:
        return {}
    return {FOLD: Fold(row["fold"], row["folds"], row["seed"])}


def mark_interrupted(writer: ExperimentWriter) -> list[str]:
    """Give the unfinished trials the status `interrupted`, and write it; their ids."""
    trial_ids = [row["trial_id"] for row in writer.trials() if unfinished(row)]
    for trial_id in trial_ids:
        writer.update_trial(trial_id, status="interrupted")
    writer.flush()
    return trial_ids


def _judged_history(
    writer: ExperimentWriter, metric: str, unfinished_ids: list[str]
) -> Mapping[str, Mapping[int, float]]:
    """The metric of each trial by epoch, without the last epoch of unfinished trials: they report it again."""
    history: dict[str, dict[int, float]] = {}
    for row in writer.epochs():
        history.setdefault(row["trial_id"], {})[row["epoch"]] = row[metric]
    for trial_id in unfinished_ids:
        if epochs := history.get(trial_id):
            del epochs[max(epochs)]
    return history


def remove_leftovers(writer: ExperimentWriter, paths: RunPaths, region: str, experiment: str) -> None:
    """Remove each `last.pt` that no trial continues from.

    A crash leaves one in two cases: the trial's end was written but its file not yet removed, or its start was never
    written, and the trial starts again. The checkpoint of an interrupted refit stays.
    """
    stored = {row["trial_id"] for row in writer.trials()}
    resumable = {row["trial_id"] for row in writer.trials() if unfinished(row)}
    for name in paths.resumable(region, experiment) - resumable:
        if refitted(name) not in stored:
            (paths.checkpoints(region, experiment, name) / "last.pt").unlink()


def _announce_changes(plan: Plan, started: int) -> None:
    """Tell the user where the number of trials or the target differs from that of the first run."""
    stored = read_spec(plan.spec_file)
    if stored.trials != plan.trials:
        more = max(0, plan.trials - started)
        announce(
            f"experiment {plan.name!r} was started with {counted(stored.trials, 'trial')}, "
            f"and is to have {plan.trials}: {started} have started, {more or 'none'} more will"
        )
    if stored.target != plan.space.target:
        before, after = (target or "none" for target in (stored.target, plan.space.target))
        announce(f"experiment {plan.name!r} was started with target {before}, and is resumed with {after}")


def _recover_epochs(writer: ExperimentWriter, plan: Plan, config: Mapping[str, Any]) -> None:
    """Store the epochs that only a trial's checkpoint knows: a crash loses the last seconds of the store."""
    trial_id = config["trial_id"]
    folder = plan.paths.checkpoints(plan.region, plan.name, trial_id)
    if not (folder / "last.pt").is_file():
        return
    from skin_tune.training.checkpoint import load_run  # loads PyTorch

    state = load_run(folder / "last.pt")
    for metrics in state["history"]:
        writer.add_epoch(trial_id, metrics)
    writer.update_trial(trial_id, epochs=state["epoch"])
    writer.record_best(trial_id, state["best_metrics"], None if FOLD in config else str(folder / "best.pt"))
