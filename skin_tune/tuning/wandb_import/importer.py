"""`skin-tune import-wandb`: finished runs of a wandb folder become trials of the store."""

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from skin_tune.errors import ExperimentError
from skin_tune.regions import is_region_name
from skin_tune.results.store.notes import read_note
from skin_tune.results.store.schema import WANDB_RUN
from skin_tune.results.store.status import UNUSABLE
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths, check_experiment_name
from skin_tune.tuning.trial.stored_config import COLUMNS
from skin_tune.tuning.wandb_import.renames import Renames
from skin_tune.tuning.wandb_import.run_files import WandbRun, find_runs, read_run
from skin_tune.tuning.wandb_import.trials import CONFIG, ImportedTrial, is_finished, is_ours, is_refit, trial_of

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")
_Place = tuple[str, str]
"""Region and experiment."""


@dataclass(frozen=True)
class ImportRequest:
    """Arguments of `import-wandb`."""

    folder: Path
    storage: Location = Path("runs")
    experiment: str | None = None
    """The experiment of all runs; None: that of their group, sweep or project."""
    region: str | None = None
    """The region of runs that do not say one: those of this program do."""
    renames: Renames = field(default_factory=dict)


@dataclass
class Imported:
    """What came of the runs in a folder."""

    statuses: dict[_Place, Counter[str]] = field(default_factory=dict)
    """How many trials of each status were imported, by region and experiment."""
    epochs: Counter[_Place] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    """How many runs were left out, by the reason."""
    damaged: list[str] = field(default_factory=list)
    """Of each run that cannot be read, why."""
    unused_metrics: set[str] = field(default_factory=set)
    unused_config: set[str] = field(default_factory=set)


def import_runs(request: ImportRequest) -> Imported:
    """Write each finished run that is not in the store yet as a trial; nothing of the folder is changed.

    Raises StoreError where there is no run, ExperimentError where a run has no region, or an experiment of that name
    was not imported, or is being run.
    """
    if request.experiment is not None:
        check_experiment_name(request.experiment)
    if request.region is not None and not is_region_name(request.region):
        raise ExperimentError(f"--region {request.region!r} is not one plain name, such as lip_dryness")
    paths, done = RunPaths(request.storage), Imported()
    finished = [run for run in _runs(request.folder, done) if not _is_own_trial(run, paths, done)]
    places = _places(finished, request)
    with ExitStack() as open_writers:
        writers = {place: _opened(paths, place, open_writers) for place in dict.fromkeys(places)}
        for run, place in zip(finished, places, strict=True):
            _import(run, place, writers[place], request.renames, done)
        for writer in writers.values():
            writer.flush()
    return done


def _runs(folder: Path, done: Imported) -> list[WandbRun]:
    """The finished runs, in the order they were started in; the others are noted."""
    found = [read_run(run_id, files) for run_id, files in find_runs(folder).items()]
    finished = []
    for run in found:
        if run.damage:
            done.damaged.append(run.damage)
        elif not is_finished(run):
            done.skipped["unfinished, or cut off by a kill"] += 1
        elif is_refit(run):
            done.skipped["of a refit, which is no trial"] += 1
        else:
            finished.append(run)
    return sorted(finished, key=lambda run: run.started_at.timestamp() if run.started_at else 0.0)


def _is_own_trial(run: WandbRun, paths: RunPaths, done: Imported) -> bool:
    """Whether the run is of a trial that this storage has, since it was run here."""
    if not is_ours(run) or not is_region_name(run.job_type):
        return False
    if not all(map(_PLAIN.fullmatch, (run.group, run.name))):
        return False
    own = read_note(paths.wandb_state(run.job_type, run.group, run.name)).get("id") == run.run_id
    done.skipped["in the store already"] += own
    return own


def _places(runs: Iterable[WandbRun], request: ImportRequest) -> list[_Place]:
    """Region and experiment of each run. Raises ExperimentError where there is no region."""
    places = []
    for run in runs:
        region = run.job_type if is_ours(run) and is_region_name(run.job_type) else request.region
        if region is None:
            name = run.name or run.run_id
            raise ExperimentError(f"run {name!r} does not say its region; give --region, such as lip_dryness")
        named = request.experiment or run.group or run.sweep or run.project
        places.append((region, _plain(named) or "wandb"))
    return places


def _opened(paths: RunPaths, place: _Place, open_writers: ExitStack) -> ExperimentWriter:
    region, experiment = place
    writer = ExperimentWriter(paths.storage, region, experiment)
    open_writers.callback(lambda: writer.close() if writer.trials() else writer.discard())
    if any(not row.get(WANDB_RUN) for row in writer.trials()) or paths.spec(region, experiment).exists():
        raise ExperimentError(f"experiment {experiment!r} of {region} was not imported; give another --experiment")
    writer.set_types({**COLUMNS, WANDB_RUN: str, CONFIG: str})
    return writer


def _import(run: WandbRun, place: _Place, writer: ExperimentWriter, renames: Renames, done: Imported) -> None:
    trial = trial_of(run, renames)
    done.unused_metrics |= trial.unused_metrics
    done.unused_config |= trial.unused_config
    if trial.columns[WANDB_RUN] in {row[WANDB_RUN] for row in writer.trials()}:
        done.skipped["in the store already"] += 1
    elif not trial.epochs and (run.history or trial.columns["status"] not in UNUSABLE):
        done.skipped["without a metric that the store has a column for"] += 1
    else:
        _write(_trial_id(run, place[1], writer), trial, writer)
        done.statuses.setdefault(place, Counter())[trial.columns["status"]] += 1
        done.epochs[place] += len(trial.epochs)


def _write(trial_id: str, trial: ImportedTrial, writer: ExperimentWriter) -> None:
    writer.update_trial(trial_id, **trial.columns)
    for row in trial.epochs:
        writer.add_epoch(trial_id, row)
    if trial.best is not None:
        writer.record_best(trial_id, trial.best, None)


def _trial_id(run: WandbRun, experiment: str, writer: ExperimentWriter) -> str:
    """The run's name where it can be a trial's and none has it, else that of the experiment with the run's id."""
    if _PLAIN.fullmatch(run.name) and not writer.trial(run.name):
        return run.name
    return f"{experiment}-{_plain(run.run_id)}"


def _plain(name: str) -> str:
    """`name` with what cannot be in the name of an experiment replaced; empty where nothing is left."""
    return _NOT_PLAIN.sub("-", name).strip("-._")[:100]
