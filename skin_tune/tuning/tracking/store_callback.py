"""Tune's callback that records every epoch in the results store and in wandb."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from skin_tune.config import canonical
from skin_tune.data.pack.format import Pack
from skin_tune.errors import PackChangedError, SkinTuneError
from skin_tune.processes import interruption
from skin_tune.provenance import append_version, code_version, libraries
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.schema import now
from skin_tune.results.store.status import unfinished, usable
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.text.escaping import one_line
from skin_tune.tuning.search.optuna_journal import Journal
from skin_tune.tuning.tracking.live_line import announce
from skin_tune.tuning.tracking.wandb_client import WandbLog
from skin_tune.tuning.tracking.wandb_sync import write_again
from skin_tune.tuning.trial.context import FOLD, TRIAL_ID, TrialSetting, hyper_parameters
from skin_tune.tuning.trial.result import epoch_metrics
from skin_tune.tuning.trial.stored_config import COLUMNS, columns_of


class StoreCallback(Callback):
    """Writes the tables `trials` and `epochs` of one experiment, and its wandb runs.

    `gpus` are those that a trial holds; the best `keep` trials that are over keep their model. The search's `journal`
    is saved along with the tables. Trials that stop because the experiment `has_ended` are interrupted, as by a budget.
    """

    def __init__(
        self,
        writer: ExperimentWriter,
        setting: TrialSetting,
        wandb_log: WandbLog,
        journal: Journal,
        keep: int,
        gpus: float,
        has_ended: Callable[[], bool],
        pack: Pack,
    ):
        self._writer, self._setting, self._wandb, self._journal = writer, setting, wandb_log, journal
        self._keep, self._gpus, self._has_ended, self._pack = keep, gpus, has_ended, pack
        self._earlier: dict[str, tuple[float, float]] = {}
        self._ended: list[str] = []
        self._retired: list[str] = []
        self._kept = [row for row in writer.trials() if row.get("ended_at") and row.get("checkpoint")]
        self._fatal: SkinTuneError | None = None
        self._said = False
        writer.set_types(COLUMNS)
        wandb_log.on_restart(partial(write_again, wandb_log, writer))
        # A run that was killed may have ended trials of which wandb never heard.
        write_again(wandb_log, writer, [row["trial_id"] for row in writer.trials() if not unfinished(row)])

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks; a copy has nothing to write to

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        trial_id = self._known(trial)
        row = self._writer.trial(trial_id)
        self._earlier[trial_id] = row.get("seconds") or 0.0, row.get("gpu_seconds") or 0.0
        self._writer.update_trial(
            trial_id,
            status="running",
            ended_at=None,
            code_version=append_version(row.get("code_version"), code_version()),
            libraries=append_version(row.get("libraries"), libraries()),
        )
        self._kept = [row for row in self._kept if row["trial_id"] != trial_id]  # it may be a resumed one
        self._retired = [name for name in self._retired if name != trial_id]
        self._wandb.start(trial_id, canonical(hyper_parameters(trial.config)), self._writer.epochs_of(trial_id))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        if self._has_to_end():
            return
        trial_id = trial.config[TRIAL_ID]
        seconds, gpu_seconds = self._earlier[trial_id]
        self._writer.update_trial(
            trial_id,
            seconds=seconds + result["time_total_s"],
            gpu_seconds=gpu_seconds + result["time_total_s"] * self._gpus,
            epochs=result["epoch"],
        )
        if result.get("fatal"):  # the trial is not to blame: it can go on once there is room
            self._fatal = SkinTuneError(result["error"])
            return
        if "status" in result:
            self._writer.update_trial(trial_id, status=result["status"], error=result["error"])
            return
        self._say_once(result.get("not_compiled"))
        known = self._writer.trial(trial_id).get("hardware")
        self._writer.update_trial(trial_id, hardware=append_version(known, result["hardware"]))
        metrics = epoch_metrics(result)
        self._writer.add_epoch(trial_id, metrics)
        self._wandb.log(trial_id, metrics)
        if result["best_epoch"] == result["epoch"]:
            self._writer.record_best(trial_id, metrics, result["checkpoint"])

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        if self._fatal is not None:
            return
        trial_id = trial.config[TRIAL_ID]
        row = self._writer.trial(trial_id)
        if not row:  # it waited for a place when its experiment ended
            return
        if row["status"] == "running":
            finished = row["epochs"] >= int(trial.config["epochs"])
            if self._has_ended() and not finished:
                self._writer.update_trial(trial_id, status="interrupted")
                return
            self._writer.update_trial(trial_id, status="completed" if finished else "stopped_early")
        self._end(trial_id)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        if self._has_to_end():  # which is what its process may have died of
            return
        trial_id = self._known(trial)  # one whose process could not start has never been announced
        lines = Path(trial.error_file).read_text().split("\n") if trial.error_file else []
        reason = next((line for line in reversed(lines) if line.strip()), "the trial's process died")
        reason = reason.removeprefix("ray.exceptions.RayActorError: ")
        self._writer.update_trial(trial_id, status="failed", error=one_line(Exception(reason)))
        self._end(trial_id)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        interruption.check()
        if self._has_to_end():
            assert self._fatal is not None
            raise self._fatal  # here, and not where it was met: Tune would bury it in a traceback of its own
        self.save()

    def save(self, *, force: bool = False) -> None:
        """Write what has changed, and remove the files that ended trials no longer need once their end is written."""
        if not force and not self._writer.due():
            return
        self._journal.save()  # first: the search has been told of each end that the store knows
        self._writer.flush()
        for trial_id in self._ended:
            (self._setting.checkpoints(trial_id) / "last.pt").unlink(missing_ok=True)
        for trial_id in self._retired:
            (self._setting.checkpoints(trial_id) / "best.pt").unlink(missing_ok=True)
        self._ended.clear()
        self._retired.clear()

    def _has_to_end(self) -> bool:
        """Whether the run is over, as where its pack has changed: no epoch counts then, and no process that died."""
        if self._fatal is None:
            try:
                self._pack.check()
            except PackChangedError as error:
                self._fatal = error
        return self._fatal is not None

    def _say_once(self, failure: str | None) -> None:
        if failure and not self._said:
            announce(f"the network is not compiled: {failure}")
            self._said = True

    def _known(self, trial: Trial) -> str:
        """The trial's own id; its row is made if there is none."""
        trial_id: str = trial.config[TRIAL_ID]
        if not self._writer.trial(trial_id):
            fold = trial.config.get(FOLD)
            folds = {} if fold is None else {"fold": fold.number, "folds": fold.of}
            self._writer.update_trial(
                trial_id,
                status="running",  # from its first moment on: another thread tells of the rows
                epochs=0,
                seed=trial.config["seed"],
                pack_id=self._setting.pack_id,
                split_seed=self._setting.split_seed,
                **class_columns(self._setting.classes, self._setting.ordinal),
                metric=self._setting.metric,
                started_at=now(),
                **folds,
                **columns_of(hyper_parameters(trial.config)),
            )
        return trial_id

    def _end(self, trial_id: str) -> None:
        self._writer.update_trial(trial_id, ended_at=now())
        self._wandb.end(trial_id, self._writer.trial(trial_id))
        self._ended.append(trial_id)
        if self._writer.trial(trial_id).get("checkpoint"):
            self._kept.append(self._writer.trial(trial_id))
            self._retire()

    def _retire(self) -> None:
        """Give up the models of the trials that are over, but for the best ones."""
        metric = self._setting.metric
        self._kept.sort(key=lambda row: (usable(row, metric), row.get(metric) or 0.0), reverse=True)
        for row in self._kept[self._keep :]:
            self._writer.update_trial(row["trial_id"], checkpoint=None)
            self._retired.append(row["trial_id"])
        del self._kept[self._keep :]
