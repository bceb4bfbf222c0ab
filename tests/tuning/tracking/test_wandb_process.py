"""wandb runs whose writer is killed, or of which files are lost: nothing that the store has is missing in the end."""

import os
import shutil
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

from skin_tune.config import TrialConfig
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.tracking import wandb_client as wandb_log
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess
from skin_tune.tuning.tracking.wandb_files import on_disk
from skin_tune.tuning.tracking.wandb_sync import finish_runs, sync_experiment, write_again
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.integration.offline_runs import OfflineRun, offline_runs
from tests.integration.processes import wait_until

CONFIG = TrialConfig(backbone="resnet18", weights="none").to_dict()
STATES = {"exp-000": "completed", "exp-001": "diverged", "exp-002": "running"}


def epoch(number: int) -> dict[str, float]:
    return {"epoch": number, "train_loss": 1.0 / number, "val_balanced_acc": 0.1 * number, "learning_rate": 1e-3}


class Run:
    """An experiment that records into the store and to wandb, as `tune` does."""

    def __init__(self, storage: Path):
        self.store = ExperimentWriter(storage, "lip_dryness", "exp")
        self.process = WandbProcess(storage, "offline")
        self.log = WandbLog(self.process, "lip_dryness", "exp")
        self.log.on_restart(partial(write_again, self.log, self.store))
        self._children = psutil.Process().children()

    def begin(self, trial: str) -> None:
        columns = {f"config/{name}": value for name, value in CONFIG.items()}
        self.store.update_trial(trial, status="running", started_at=now(), epochs=0, seed=0, **columns)
        self.log.start(trial, CONFIG, self.store.epochs_of(trial))

    def epochs(self, trial: str, first: int, last: int) -> None:
        for number in range(first, last + 1):
            self.store.add_epoch(trial, epoch(number))
            self.store.record_best(trial, epoch(number), "best.pt")
            self.log.log(trial, epoch(number))

    def end(self, trial: str, status: str) -> None:
        if status != "running":
            self.store.update_trial(trial, status=status, ended_at=now(), error="nan" if status == "diverged" else None)
            self.log.end(trial, self.store.trial(trial))

    def kill_writer(self, *, core: bool = False) -> None:
        """SIGKILL, once all that was sent has been carried out as far as it ever will."""
        writer = psutil.Process(self.process._process.pid)
        wait_until(lambda: os.fstat(self.process._moved.fileno()).st_size >= self.process._sent)
        victims = writer.children(recursive=True) if core else [writer, *writer.children(recursive=True)]
        for victim in victims:
            victim.kill()
        if not core:
            self.process._process.wait()

    def close(self) -> str:
        self.store.flush()
        self.store.close()
        return self.process.close()


def all_of(run: Run) -> None:
    for trial, status in STATES.items():
        run.begin(trial)
        run.epochs(trial, 1, 4)
        run.end(trial, status)


def check(storage: Path, states: dict[str, str] = STATES, epochs: int = 4) -> dict[str, OfflineRun]:
    """Each trial is one run with each epoch once, and with the state that the store says."""
    runs = offline_runs(storage)
    assert {run.name for run in runs.values()} == set(states)
    assert len(runs) == len(states)
    for run in runs.values():
        state = "interrupted" if states[run.name] == "running" else states[run.name]
        wanted = [epoch(number) for number in range(1, epochs + 1)]
        assert [{name: step[name] for name in epoch(1)} for step in run.steps] == wanted, run.name
        assert [step["_step"] for step in run.steps] == [step["epoch"] for step in run.steps]
        assert run.summary["status"] == state
        assert run.config["backbone"] == "resnet18"
        assert run.exit_code == int(state == "diverged")
        if state != "interrupted":
            assert run.summary["best_val_balanced_acc"] == epoch(epochs)["val_balanced_acc"]
            assert state in run.tags
    return runs


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.mark.parametrize("core", [False, True], ids=["the writer", "wandb-core"])
def test_a_writer_that_is_killed_in_the_middle_is_started_anew_and_nothing_is_lost(core: bool, storage: Path):
    run = Run(storage)
    for trial in STATES:
        run.begin(trial)
        run.epochs(trial, 1, 2)
    run.end("exp-001", "diverged")
    run.epochs("exp-000", 3, 3)
    run.kill_writer(core=core)
    run.epochs("exp-000", 4, 4)
    run.epochs("exp-002", 3, 4)
    run.end("exp-000", "completed")
    said = run.close()
    assert "its process died once" in said
    assert "written again" in said
    assert "wandb-sync" not in said
    lengths = {run.name: [step["_step"] for step in run.steps] for run in offline_runs(storage).values()}
    assert lengths == {"exp-000": [1, 2, 3, 4], "exp-001": [1, 2], "exp-002": [1, 2, 3, 4]}


def test_one_that_is_killed_after_the_last_epoch_is_noticed_at_the_end(storage: Path):
    run = Run(storage)
    all_of(run)
    run.kill_writer()
    assert "its process died once (signal 9)" in run.close()
    check(storage)


def test_the_wandb_core_of_a_notebook_is_not_what_runs_are_written_by(storage: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_SERVICE", "3-1-tcp-localhost-9")  # which has ended
    run = Run(storage)
    all_of(run)
    assert run.close().startswith("wandb: 3 runs were written offline")
    check(storage)


def test_one_that_dies_each_time_is_given_up_and_the_way_out_is_named(storage: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wandb_log, "_MOST_RESTARTS", 0)
    run = Run(storage)
    all_of(run)
    run.kill_writer()
    said = run.close()
    assert said.endswith(f"runs are incomplete; write them again with: skin-tune wandb-sync exp --storage {storage}")
    done = skin_tune_here("wandb-sync", "exp", "--storage", storage, "--wandb", "offline")
    assert done.returncode == 0, done.stderr
    assert "exp (lip_dryness): 3 runs, " in done.stdout
    check(storage)


def test_sync_writes_what_is_missing_under_the_same_ids_and_then_nothing(storage: Path):
    run = Run(storage)
    all_of(run)
    run.close()
    before = check(storage)

    def files() -> list[Path]:
        return sorted(storage.glob("wandb/offline-run-*"))

    whole = files()
    assert sync_experiment(storage, "exp", mode="offline").written == 0
    assert files() == whole
    shutil.rmtree(next(folder for folder in whole if folder.name.endswith(next(iter(before)))))
    assert sync_experiment(storage, "exp", mode="offline").written == 1
    assert check(storage).keys() == before.keys()
    shutil.rmtree(storage / "wandb")
    assert sync_experiment(storage, "exp", mode="offline").written == 3
    assert check(storage).keys() == before.keys()
    assert sync_experiment(storage, "exp", "lip_dryness", "offline").written == 0


def test_a_run_without_wandb_can_be_brought_there_later(storage: Path):
    run = Run(storage)
    run.process.close()
    shutil.rmtree(storage / "wandb", ignore_errors=True)
    all_of(run)
    run.store.flush()
    run.store.close()
    assert sync_experiment(storage, "exp", mode="offline").written == 3
    check(storage)
    again = Run(storage)  # and the interrupted trial goes on in its run
    again.begin("exp-002")
    again.epochs("exp-002", 5, 6)
    again.end("exp-002", "completed")
    assert again.close().startswith("wandb: 1 run was written offline")
    runs = {found.name: found for found in offline_runs(storage).values()}
    assert [step["_step"] for step in runs["exp-002"].steps] == [1, 2, 3, 4, 5, 6]
    assert runs["exp-002"].summary["status"] == "completed"


def test_what_is_on_disk_counts_and_not_what_was_logged(storage: Path):
    run = Run(storage)
    all_of(run)
    run.kill_writer()
    run.store.flush()
    run.store.close()
    again = Run(storage)  # as after a kill of everything
    write_again(again.log, again.store, list(STATES))
    again.close()
    check(storage)


def test_runs_that_a_kill_of_everything_left_open_are_closed_where_no_trial_is_left_to_run(storage: Path):
    ended = {"exp-000": "completed", "exp-001": "diverged"}
    run = Run(storage)
    for trial, status in ended.items():
        run.begin(trial)
        run.epochs(trial, 1, 4)
        run.store.update_trial(trial, status=status, ended_at=now(), error="nan" if status == "diverged" else None)
    run.log.end("exp-000", run.store.trial("exp-000"))  # the kill hits before the other end is sent
    run.kill_writer()

    def finish(mode: str) -> str:
        return finish_runs(run.store, RunPaths(storage), "lip_dryness", "exp", mode)

    assert finish("disabled") == ""
    assert "written offline" in finish("offline")
    check(storage, ended)
    before = sorted(storage.glob("wandb/*"))
    assert finish("offline") == ""
    assert sorted(storage.glob("wandb/*")) == before
    note = RunPaths(storage).wandb_state("lip_dryness", "exp", "exp-001")
    note.write_text("[")  # by whomever
    assert "not everything was logged" in finish("offline")
    run.store.close()


def test_an_experiment_without_wandb_gets_no_runs_at_its_end(storage: Path):
    store = ExperimentWriter(storage, "lip_dryness", "exp")
    store.update_trial("exp-000", status="completed", ended_at=now(), epochs=0, seed=0)
    assert finish_runs(store, RunPaths(storage), "lip_dryness", "exp", "offline") == ""
    assert not (storage / "wandb").exists()
    store.close()


def test_a_file_that_ends_in_the_middle_of_a_record_is_read_up_to_it(storage: Path):
    run = Run(storage)
    run.begin("exp-000")
    run.epochs("exp-000", 1, 30)
    run.end("exp-000", "completed")
    run.close()
    (file,) = storage.glob("wandb/offline-run-*/run-*.wandb")
    run_id, content = file.stem.removeprefix("run-"), file.read_bytes()
    assert on_disk(storage, run_id).steps == set(range(1, 31))
    assert on_disk(storage, run_id).ended
    seen = set()
    for length in range(0, len(content), 211):
        file.write_bytes(content[:length])
        found = on_disk(storage, run_id)
        assert found.steps == set(range(1, len(found.steps) + 1))
        seen.add(len(found.steps))
    assert len(seen) > 10
    assert sync_experiment(storage, "exp", mode="offline").written == 1
    assert on_disk(storage, run_id).steps == set(range(1, 31))


def test_what_cannot_be_synced_is_one_line(storage: Path):
    run = Run(storage)
    all_of(run)
    run.store.flush()
    command = ("wandb-sync", "exp", "--storage", storage)
    assert_one_line_error(skin_tune_here(*command, "--wandb", "offline"), "'exp'", "is being run by")
    run.close()
    assert_one_line_error(skin_tune_here(*command, "--wandb", "disabled"), "wandb is disabled")
    assert_one_line_error(skin_tune_here(*command, "--wandb", "later"), "--wandb 'later'", "offline")
    assert_one_line_error(skin_tune_here("wandb-sync", "none", "--storage", storage, "--wandb", "offline"), "'none'")
    other = ExperimentWriter(storage, "acne", "exp")
    other.update_trial("exp-000", status="running")
    other.flush()
    other.close()
    assert_one_line_error(skin_tune_here(*command, "--wandb", "offline"), "acne, lip_dryness", "--region")
    done = skin_tune_here(*command, "--wandb", "offline", "--region", "lip_dryness")
    assert done.returncode == 0, done.stderr


def test_the_signal_of_a_kill_is_named():
    assert wandb_log.end_in_words(-signal.SIGKILL) == "signal 9"
    assert wandb_log.end_in_words(3) == "exit code 3"
