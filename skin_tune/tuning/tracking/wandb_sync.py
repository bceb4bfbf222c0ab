"""wandb runs from the store, which has all that belongs in them: `skin-tune wandb-sync`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from skin_tune.config import canonical
from skin_tune.errors import ExperimentError, StoreError
from skin_tune.results.store.notes import read_note
from skin_tune.results.store.ranking import rank_trials
from skin_tune.results.store.schema import WANDB_RUN
from skin_tune.results.store.status import unfinished
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess, end_of, ending, run_of
from skin_tune.tuning.tracking.wandb_settings import check_mode, configured_mode
from skin_tune.tuning.trial.stored_config import config_of


@dataclass(frozen=True)
class Synced:
    """How many runs an experiment has, and how many of them lacked something."""

    region: str
    experiment: str
    runs: int
    written: int


def write_again(log: WandbLog, writer: ExperimentWriter, trials: Sequence[str]) -> None:
    """Send what the store holds of `trials` to a writer that may know nothing of them."""
    for trial_id in trials:
        row = writer.trial(trial_id)
        config, history = canonical(config_of(row).to_dict()), writer.epochs_of(trial_id)
        if unfinished(row):
            log.start(trial_id, config, history)
        else:
            log.rebuild(trial_id, config, history, row)


def finish_runs(writer: ExperimentWriter, paths: RunPaths, region: str, experiment: str, mode: str | None) -> str:
    """Close the runs that a kill has left open of an experiment whose trials are all over; what the user should know.

    Such a kill hits between the last trial's end in the store and the end of its run. An experiment without a note of
    any run was run without wandb, and gets none.
    """
    rows = writer.trials()
    notes = [read_note(paths.wandb_state(region, experiment, row["trial_id"])) for row in rows]
    still_open = [
        row["trial_id"] for row, note in zip(rows, notes, strict=True) if note.get("ended") != _ending_of(row, writer)
    ]
    if not still_open or not any(notes) or configured_mode(mode) == "disabled":
        return ""
    process = WandbProcess(paths.storage, mode)
    log = WandbLog(process, region, experiment)
    log.on_restart(partial(write_again, log, writer))
    write_again(log, writer, still_open)
    return process.close()


def _ending_of(row: Mapping[str, Any], writer: ExperimentWriter) -> dict[str, Any]:
    epochs = writer.epochs_of(row["trial_id"])
    return ending(row["status"], epochs[-1]["epoch"] if epochs else 0)


def sync_experiment(
    storage: Location,
    experiment: str,
    region: str | None = None,
    mode: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Synced:
    """Write the wandb runs of an experiment's trials, as far as they lack anything, under the ids that they have.

    Offline their files below the storage are looked at, online the server is asked: what is there is not written again.
    `mode` is as for `tune`. Raises ExperimentError or StoreError where there is no such experiment, several regions
    have one, it is being run, or runs cannot be written.
    """
    check_mode(mode)
    if (chosen := configured_mode(mode)) == "disabled":
        raise ExperimentError("wandb is disabled, by --wandb or WANDB_MODE; give --wandb online or --wandb offline")
    storage = storage.resolve()
    regions = sorted(set(rank_trials(storage, region=region, experiment=experiment)["region"]))
    if len(regions) > 1:
        raise ExperimentError(f"{', '.join(regions)} have an experiment {experiment!r} each; give --region")
    store = ExperimentWriter(storage, regions[0], experiment)
    try:
        if any(row.get(WANDB_RUN) for row in store.trials()):
            raise ExperimentError(f"experiment {experiment!r} was imported from wandb runs; upload those: wandb sync")
        return _sync(store, RunPaths(storage), regions[0], experiment, chosen, progress)
    finally:
        store.close()


def _sync(
    store: ExperimentWriter,
    paths: RunPaths,
    region: str,
    experiment: str,
    mode: str,
    progress: Callable[[int, int], None],
) -> Synced:
    from skin_tune.tuning.tracking.wandb_process import INTERRUPTED, WandbWriter  # which takes a second to import wandb

    folder = paths.wandb.resolve()
    writer = WandbWriter(folder, mode)
    rows = store.trials()
    written, errors = 0, []
    for done, row in enumerate(rows, start=1):
        trial_id = row["trial_id"]
        ended: dict[str, Any] = {**row, "status": INTERRUPTED} if unfinished(row) else row
        config = canonical(config_of(row).to_dict())
        about = run_of(paths, region, experiment, trial_id, config, store.epochs_of(trial_id))
        try:
            written += writer.rebuild(f"{region}/{experiment}/{trial_id}", **about, end=end_of(ended), trust_note=False)
        except Exception as error:  # whatever wandb raises
            errors.append(f"{trial_id}: {next(iter(str(error).splitlines()), type(error).__name__)[:160]}")
        progress(done, len(rows))
    writer.close()
    if errors:
        raise StoreError(f"{len(errors)} of {len(rows)} wandb runs could not be written ({errors[0]})")
    return Synced(region, experiment, len(rows), written)
