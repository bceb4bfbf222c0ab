"""What the driver records of trials, told by Ray's own Trial objects and not by a run."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ray.tune.experiment import Trial

from skin_tune.config import TrialConfig
from skin_tune.data.pack.folds import Fold
from skin_tune.data.pack.format import Pack
from skin_tune.errors import SkinTuneError
from skin_tune.results import load_epochs, load_trials
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.search.optuna_journal import Journal
from skin_tune.tuning.tracking.store_callback import StoreCallback
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess
from skin_tune.tuning.trial.context import FOLD, REGION, TRIAL_ID, TrialSetting
from skin_tune.tuning.trial.epochs import failure_result
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL

EPOCHS = SMALL["epochs"]


class Ended(Trial):
    """A trial whose process has ended, and may have left an error file; Ray keeps that in a folder of its own."""

    written: Path | None = None

    @property
    def error_file(self) -> str | None:
        return str(self.written) if self.written else None


class Run:
    """An experiment on one pack and the callback that records it; trials hold two GPUs and two models are kept."""

    def __init__(self, pack: Pack, storage: Path):
        self.pack, self.storage, self.over = pack, storage, False
        self.setting = TrialSetting.of(pack, storage, "exp", "val_balanced_acc")
        self.start()

    def start(self) -> None:
        self.writer = ExperimentWriter(self.storage, "lip_dryness", "exp")
        log = WandbLog(WandbProcess(self.storage, "disabled"), "lip_dryness", "exp")
        journal = Journal(self.storage / "search.log")
        self.callback = StoreCallback(self.writer, self.setting, log, journal, 2, 2.0, lambda: self.over, self.pack)

    def begin(self, number: int) -> Trial:
        config = {**TrialConfig.from_mapping(SMALL).to_dict(), TRIAL_ID: f"exp-{number:03d}", REGION: "lip_dryness"}
        trial = Trial("a trainable", config=config, stub=True)
        self.callback.on_trial_start(0, [trial], trial)
        return trial

    def epoch(
        self, trial: Trial, epoch: int, score: float, *, best: int | None = None, seconds: float = 10.0, **more: Any
    ) -> None:
        """Report an epoch, with the files that a worker keeps by then."""
        folder = self.setting.checkpoints(trial.config[TRIAL_ID])
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("best.pt", "last.pt"):
            (folder / name).touch()
        result = {
            "epoch": epoch,
            "train_loss": 1.0,
            "val_balanced_acc": score,
            "learning_rate": 0.1,
            "epoch_seconds": seconds,
            "time_total_s": seconds * epoch,
            "hardware": "CPU, 1 threads",
            "best_epoch": best or epoch,
            "checkpoint": str(folder / "best.pt"),
            "training_iteration": epoch,
            **more,
        }
        self.callback.on_trial_result(0, [trial], trial, result)

    def whole(self, number: int, score: float) -> str:
        """A trial with all of its epochs; its id."""
        trial = self.begin(number)
        for epoch in range(1, EPOCHS + 1):
            self.epoch(trial, epoch, score, best=1)
        self.callback.on_trial_complete(0, [trial], trial)
        return str(trial.config[TRIAL_ID])

    def row(self, number: int = 0) -> dict[str, Any]:
        """A trial's row once everything has been written."""
        self.callback.save(force=True)
        trials = load_trials(self.storage).set_index("trial_id")
        return dict(trials.loc[f"exp-{number:03d}"])

    def left(self, name: str) -> set[str]:
        """Trials that have a checkpoint of that name."""
        return {path.parent.name for path in self.storage.glob(f"experiments/*/exp/checkpoints/*/{name}")}


@pytest.fixture
def run(make_pack: PackMaker, tmp_path: Path) -> Iterator[Run]:
    run = Run(make_pack(), tmp_path / "runs")
    yield run
    run.writer.close()


def test_a_row_has_its_status_from_its_first_moment(run: Run, monkeypatch: pytest.MonkeyPatch):
    """The live line tells of the rows from a thread of its own."""
    seen = []
    update = run.writer.update_trial

    def update_and_look(trial_id: str, **values: Any) -> None:
        update(trial_id, **values)
        seen.append([row.get("status") for row in run.writer.trials()])

    monkeypatch.setattr(run.writer, "update_trial", update_and_look)
    run.epoch(run.begin(0), 1, 0.5)
    assert len(seen) > 2
    assert all(status == "running" for statuses in seen for status in statuses)


def test_a_trial_that_starts_is_in_the_store_with_its_config_and_pack(run: Run):
    run.begin(0)
    row = run.row()
    assert (row["status"], row["epochs"], row["pack_id"]) == ("running", 0, run.pack.info.pack_id)
    assert (row["config/backbone"], row["config/epochs"]) == ("resnet18", EPOCHS)
    assert not {f"config/{name}" for name in (TRIAL_ID, REGION)} & set(row)
    assert pd.isna(row["ended_at"])
    assert pd.isna(row["fold"])


def test_the_run_of_a_fold_says_which_and_keeps_no_model(run: Run):
    config = {**TrialConfig.from_mapping(SMALL).to_dict(), TRIAL_ID: "exp-000", REGION: "lip_dryness"}
    trial = Trial("a trainable", config={**config, FOLD: Fold(1, 5, seed=0)}, stub=True)
    run.callback.on_trial_start(0, [trial], trial)
    result = {"epoch": 1, "best_epoch": 1, "val_balanced_acc": 0.5, "time_total_s": 1.0, "hardware": "CPU"}
    run.callback.on_trial_result(0, [trial], trial, {**result, "checkpoint": None})
    run.callback.on_trial_complete(0, [trial], trial)
    row = run.row()
    assert (row["fold"], row["folds"]) == (1, 5)
    assert "config/fold" not in row
    assert pd.isna(row["checkpoint"])


def test_every_epoch_is_recorded_and_the_row_has_the_best_one(run: Run):
    trial = run.begin(0)
    run.epoch(trial, 1, 0.7)
    run.epoch(trial, 2, 0.4, best=1)
    run.callback.on_trial_complete(0, [trial], trial)
    row = run.row()
    assert (row["status"], row["epochs"], row["best_epoch"], row["val_balanced_acc"]) == ("completed", 2, 1, 0.7)
    assert (row["seconds"], row["gpu_seconds"]) == (20.0, 40.0)
    epochs = load_epochs(run.storage)
    assert epochs["epoch"].tolist() == [1, 2]
    assert epochs["val_balanced_acc"].tolist() == [0.7, 0.4]
    assert "training_iteration" not in epochs


def test_why_networks_are_not_compiled_is_said_once(run: Run, capsys: pytest.CaptureFixture[str]):
    for number in range(2):
        run.epoch(run.begin(number), 1, 0.5, not_compiled="no C++ compiler")
    run.epoch(run.begin(2), 1, 0.5, not_compiled="")
    assert capsys.readouterr().err == "the network is not compiled: no C++ compiler\n"


def test_a_trial_that_ends_before_its_last_epoch_was_stopped_by_asha_or_by_the_end_of_the_experiment(run: Run):
    stopped, interrupted = run.begin(0), run.begin(1)
    for trial in (stopped, interrupted):
        run.epoch(trial, 1, 0.5)
    run.callback.on_trial_complete(0, [stopped], stopped)
    run.over = True
    run.callback.on_trial_complete(0, [interrupted], interrupted)
    assert run.row(0)["status"] == "stopped_early"
    assert run.row(1)["status"] == "interrupted"
    assert load_trials(run.storage)["ended_at"].notna().tolist() == [True, False]
    assert run.left("last.pt") == {"exp-001"}, "only an interrupted trial goes on"


def test_a_trial_that_waited_for_a_place_when_its_experiment_ended_leaves_nothing(run: Run):
    run.begin(0)
    config = {TRIAL_ID: "exp-001", REGION: "lip_dryness"}
    waiting = Trial("a trainable", config=config, stub=True)
    run.callback.on_trial_complete(0, [waiting], waiting)
    run.callback.save(force=True)
    assert load_trials(run.storage)["trial_id"].tolist() == ["exp-000"]


def test_a_trial_that_diverged_says_so_and_is_not_completed(run: Run):
    trial = run.begin(0)
    run.epoch(trial, 1, 0.5)
    failed = {**failure_result(RuntimeError("loss is nan"), 1), "time_total_s": 12.0}
    run.callback.on_trial_result(0, [trial], trial, failed)
    run.callback.on_trial_complete(0, [trial], trial)
    row = run.row()
    assert (row["status"], row["epochs"], row["seconds"]) == ("failed", 1, 12.0)
    assert "loss is nan" in row["error"]
    assert load_epochs(run.storage)["epoch"].tolist() == [1], "a last result is no epoch"


def test_a_process_that_died_is_told_by_the_last_line_of_its_error_file(run: Run, tmp_path: Path):
    trial = run.begin(0)
    run.epoch(trial, 1, 0.5)
    died = Ended("a trainable", config=trial.config, stub=True)
    died.written = tmp_path / "error.txt"
    died.written.write_text("Traceback\n  ...\nray.exceptions.RayActorError: killed by signal 9\n\n")
    run.callback.on_trial_error(0, [died], died)
    row = run.row()
    assert row["status"] == "failed"
    assert row["error"].endswith("killed by signal 9")
    assert "RayActorError: killed" not in row["error"]


def test_a_process_that_could_not_start_is_a_failed_trial(run: Run):
    run.begin(0)
    config = {**TrialConfig.from_mapping(SMALL).to_dict(), TRIAL_ID: "exp-001", REGION: "lip_dryness"}
    never = Ended("a trainable", config=config, stub=True)
    run.callback.on_trial_error(0, [never], never)
    row = run.row(1)
    assert row["status"] == "failed"
    assert "the trial's process died" in row["error"]


@pytest.mark.parametrize("later", ["complete", "error"])
def test_what_no_trial_is_to_blame_for_ends_the_run_and_can_be_resumed(run: Run, later: str):
    trial = run.begin(0)
    run.epoch(trial, 1, 0.5)
    fatal = {**failure_result(RuntimeError("disk full"), 1), "fatal": True, "time_total_s": 12.0}
    run.callback.on_trial_result(0, [trial], trial, fatal)
    getattr(run.callback, f"on_trial_{later}")(0, [trial], trial)
    with pytest.raises(SkinTuneError, match="disk full"):
        run.callback.on_step_end(0, [trial])
    row = run.row()
    assert row["status"] == "running"
    assert pd.isna(row["error"])


def test_no_epoch_counts_once_the_pack_has_changed(run: Run):
    trial = run.begin(0)
    run.epoch(trial, 1, 0.5)
    run.pack.path.write_bytes(run.pack.path.read_bytes() + b"x")
    run.epoch(trial, 2, 0.9)
    with pytest.raises(SkinTuneError, match="changed"):
        run.callback.on_step_end(0, [trial])
    run.callback.save(force=True)
    assert load_epochs(run.storage)["epoch"].tolist() == [1]


def test_only_the_best_trials_keep_their_models_and_files_go_once_the_end_is_written(run: Run):
    run.whole(0, 0.5)
    run.callback.save(force=True)
    run.whole(1, 0.9)
    assert run.left("last.pt") == {"exp-001"}
    run.whole(2, 0.7)
    assert run.left("best.pt") == {"exp-000", "exp-001", "exp-002"}, "the store still names them all"
    run.callback.save(force=True)
    assert run.left("last.pt") == set()
    assert run.left("best.pt") == {"exp-001", "exp-002"}
    kept = load_trials(run.storage).set_index("trial_id")["checkpoint"]
    assert kept.notna().to_dict() == {"exp-000": False, "exp-001": True, "exp-002": True}
    assert all(Path(path).is_file() for path in kept.dropna())


def test_a_resumed_trial_goes_on_counting_where_it_was(run: Run):
    trial = run.begin(0)
    run.epoch(trial, 1, 0.5)
    run.over = True
    run.callback.on_trial_complete(0, [trial], trial)
    run.callback.save(force=True)
    run.writer.close()
    run.over = False
    run.start()
    again = run.begin(0)
    run.epoch(again, 2, 0.6, seconds=4.0)  # Ray's clock begins anew
    run.callback.on_trial_complete(0, [again], again)
    row = run.row()
    assert (row["status"], row["seconds"], row["gpu_seconds"]) == ("completed", 18.0, 36.0)
    assert load_epochs(run.storage)["epoch"].tolist() == [1, 2]


def test_the_copy_that_tune_pickles_writes_nothing(run: Run):
    assert vars(pickle.loads(pickle.dumps(run.callback))) == {}
