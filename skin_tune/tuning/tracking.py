"""What the driver records while trials run: every epoch into the results store."""

from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from skin_tune.results.store import ExperimentWriter, now
from skin_tune.tuning.trial import one_line


def epoch_metrics(result: dict[str, Any]) -> dict[str, float]:
    """The Trainer's metrics among what Tune reports."""
    names = ("epoch", "learning_rate", "epoch_seconds", "images_per_second")
    return {name: value for name, value in result.items() if name in names or name.startswith(("train_", "val_"))}


class StoreCallback(Callback):
    """Writes the tables `trials` and `epochs` of one experiment."""

    def __init__(self, writer: ExperimentWriter, pack_id: str, gpus_per_trial: float):
        self._writer, self._pack_id, self._gpus = writer, pack_id, gpus_per_trial

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._writer.update_trial(
            trial.trial_id,
            status="running",
            epochs=0,
            seconds=0.0,
            gpu_seconds=0.0,
            seed=trial.config.get("seed"),
            pack_id=self._pack_id,
            started_at=now(),
            **{f"config/{name}": value for name, value in trial.config.items()},
        )

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        seconds = result["time_total_s"]
        self._writer.update_trial(trial.trial_id, seconds=seconds, gpu_seconds=seconds * self._gpus)
        if "status" in result:
            self._writer.update_trial(
                trial.trial_id, status=result["status"], error=result["error"], epochs=result["epoch"]
            )
            return
        metrics = epoch_metrics(result)
        self._writer.add_epoch(trial.trial_id, metrics)
        self._writer.update_trial(trial.trial_id, epochs=result["epoch"])
        if result["best_epoch"] == result["epoch"]:
            self._writer.record_best(trial.trial_id, metrics, result["checkpoint"])

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        row = self._writer.trial(trial.trial_id)
        if row["status"] == "running":
            finished = row["epochs"] >= int(trial.config["epochs"])
            self._writer.update_trial(trial.trial_id, status="completed" if finished else "stopped_early")
        self._writer.update_trial(trial.trial_id, ended_at=now())

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        error = trial.get_error()
        reason = one_line(error) if error else "the trial's process died"
        self._writer.update_trial(trial.trial_id, status="failed", error=reason, ended_at=now())

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self._writer.flush()
