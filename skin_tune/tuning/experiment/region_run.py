"""One region's share of a Tune run: what records its trials, and what suggests them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.backend.resources import TrialResources
from skin_tune.tuning.experiment.ending import settling_of
from skin_tune.tuning.experiment.plan import Experiment, Plan
from skin_tune.tuning.search.multi_region import RegionTargets
from skin_tune.tuning.search.optuna_journal import Journal
from skin_tune.tuning.search.searcher import SpaceSearcher
from skin_tune.tuning.search.warm_start import chosen_once
from skin_tune.tuning.space.configs import Units
from skin_tune.tuning.tracking.store_callback import StoreCallback
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess
from skin_tune.tuning.trial.context import TrialSetting


@dataclass(frozen=True)
class RegionRun:
    """One region's share of a Tune run."""

    plan: Plan
    writer: ExperimentWriter
    setting: TrialSetting
    journal: Journal
    store: StoreCallback

    @property
    def region(self) -> str:
        return self.plan.region


def targets_of(experiments: Sequence[Experiment]) -> RegionTargets:
    """What ends the experiments before all of their trials have run."""
    spaces = {experiment.plan.region: experiment.plan.space for experiment in experiments}
    settling = {each.plan.region: settling_of(each.plan, each.writer) for each in experiments}
    return RegionTargets(spaces, {region: watch for region, watch in settling.items() if watch is not None})


def region_run(
    experiment: Experiment,
    wandb_process: WandbProcess,
    targets: RegionTargets,
    resources: TrialResources,
    compiling_pays: bool,
) -> RegionRun:
    """Open what an experiment's trials are recorded in."""
    plan = experiment.plan
    setting = TrialSetting.of(
        plan.pack, plan.paths.storage, plan.name, plan.space.metric, compiling_pays=compiling_pays
    )
    journal = Journal(plan.paths.search_journal(plan.region, plan.name))
    store = StoreCallback(
        experiment.writer,
        setting,
        WandbLog(wandb_process, plan.region, plan.name),
        journal,
        plan.request.keep_checkpoints,
        resources.gpus * resources.workers,
        partial(targets.has_ended, plan.region),
        plan.pack,
    )
    return RegionRun(plan, experiment.writer, setting, journal, store)


def searcher_of(run: RegionRun, runs: Sequence[RegionRun]) -> SpaceSearcher:
    """What suggests a region's configs; `runs` are those of all regions, from whose trials it may start."""
    plan = run.plan

    def choose() -> Sequence[Units]:
        for sibling in runs:  # regions to start from may be part of this run
            sibling.store.save(force=True)
        return plan.best_of_siblings()

    def warm_start() -> Sequence[Units]:
        if not plan.request.warm_start:
            return ()
        return chosen_once(plan.paths.warm_start(plan.region, plan.name), choose)

    return SpaceSearcher(
        plan.space,
        plan.request.seed,
        plan.name,
        run.journal.file,
        defaults=plan.defaults,
        started_ids=plan.started_ids,
        tried=plan.tried,
        unfinished=plan.unfinished,
        warm_start=warm_start,
    )
