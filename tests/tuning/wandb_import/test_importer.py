"""Runs of hand-written loops and of this program in the store, by the command."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from skin_tune.config import TrialConfig, canonical
from skin_tune.errors import ExperimentError
from skin_tune.results import load_epochs, load_trials
from skin_tune.results.store.schema import EPOCHS, now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.search.warm_start import check_siblings
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess
from skin_tune.tuning.trial.stored_config import COLUMNS, columns_of
from skin_tune.tuning.wandb_import.importer import ImportRequest, import_runs
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.tuning.wandb_import.loops import write_run

NAMES = ("val/bal_acc=val_balanced_acc", "train/loss=train_loss", "lr=learning_rate")
RENAMES = [word for name in NAMES for word in ("--rename", name)]


def rows_of(best: float) -> list[dict[str, Any]]:
    """Two epochs from 0, each with two steps before it."""
    rows: list[dict[str, Any]] = []
    for epoch in range(2):
        rows += [{"train/loss": 2.0 - epoch, "grad": 1.0}, {"train/loss": 1.5 - epoch}]
        rows.append({"epoch": epoch, "val/bal_acc": best - 0.1 * epoch, "val_macro_f1": 0.25})
    return rows


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a sweep: two runs, one that failed, one that a kill cut off, one that is damaged."""
    folder = tmp_path_factory.mktemp("sweep")
    for number, end in enumerate((0, 0, 1)):
        config = {"lr": 10.0 ** -(number + 2), "backbone": "resnet18", "aug": {"flip": True}}
        write_run(folder, f"run{number}", rows_of(0.5 + 0.1 * number), config, end, group="sweep one")
    killed = write_run(folder, "killed", rows_of(0.9))
    killed.write_bytes(killed.read_bytes()[:-100])
    damaged = write_run(folder, "damaged", rows_of(0.9))
    damaged.write_bytes(damaged.read_bytes().replace(b"bal_acc", b"bal_bcc"))
    return folder


def test_a_sweep_of_a_hand_written_loop_becomes_an_experiment(loops: Path, tmp_path: Path):
    command = ("import-wandb", loops / "wandb", "--storage", tmp_path, "--region", "lip_dryness", *RENAMES)
    done = skin_tune_here(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sweep-one (lip_dryness): 3 runs imported (2 completed, 1 failed), 6 epochs\n"
    said = done.stderr.splitlines()
    assert said[0] == "1 run left out: unfinished, or cut off by a kill"
    assert said[1].endswith("run-damaged.wandb is no file of wandb's, or is damaged")
    assert said[2] == "not used of the histories: grad; --rename THEIRS=OURS gives one a column"
    assert said[3] == "not taken as hyper-parameters: aug.flip; the column wandb_config has them"

    trials = load_trials(tmp_path).set_index("trial_id")
    assert trials.index.tolist() == ["sweep-one-run0", "sweep-one-run1", "sweep-one-run2"]
    assert trials["config/learning_rate"].tolist() == pytest.approx([1e-2, 1e-3, 1e-4])
    assert trials["val_balanced_acc"].tolist() == pytest.approx([0.5, 0.6, 0.7])
    assert trials["best_epoch"].tolist() == [1, 1, 1]
    assert (trials["ended_at"] >= trials["started_at"]).all()
    assert trials[["pack_id", "images", "checkpoint", "classes"]].isna().all(axis=None)
    epochs = load_epochs(tmp_path)
    assert epochs["epoch"].tolist() == [1, 2] * 3
    assert epochs["train_loss"].tolist() == [1.5, 0.5] * 3, "the last of an epoch's steps"

    again = skin_tune_here(*command)
    assert again.stdout == "no run was imported\n"
    assert "3 runs left out: in the store already" in again.stderr
    assert load_epochs(tmp_path).equals(epochs)


def test_the_other_commands_take_it_as_far_as_it_goes(loops: Path, tmp_path: Path):
    where = ("--storage", tmp_path)
    done = skin_tune_here("import-wandb", loops, *where, "--region", "acne", "--experiment", "old", *RENAMES)
    assert done.returncode == 0, done.stderr
    listed = skin_tune_here("trials", *where, "--format", "csv", "--columns", "trial_id,val_balanced_acc,wandb_run")
    assert [row.split(",")[0] for row in listed.stdout.splitlines()[1:]] == ["old-run1", "old-run0", "old-run2"]
    compared = skin_tune_here("compare", "old", *where)
    assert compared.returncode == 0, compared.stderr
    assert "2 trials are not compared: the store has no predictions of theirs" in compared.stdout
    page = tmp_path / "report.html"
    assert skin_tune_here("report", *where, "--out", page).returncode == 0
    assert "old-run1" in page.read_text()
    check_siblings(tmp_path, ["old"], "acne", "next")
    for command in ("refit", "confirm", "combine", "audit"):
        refused = skin_tune_here(command, "old", *where)
        assert_one_line_error(refused, "'old' was imported from wandb", "skin-tune tune PACK --warm-start old")
    sync = skin_tune_here("wandb-sync", "old", *where, "--wandb", "offline")
    assert_one_line_error(sync, "'old' was imported from wandb runs")


def test_what_cannot_be_imported_is_one_line(loops: Path, tmp_path: Path):
    command = ("import-wandb", loops, "--storage", tmp_path / "runs")
    assert_one_line_error(skin_tune_here(*command), "does not say its region", "--region")
    assert_one_line_error(skin_tune_here(*command, "--region", "a b"), "--region 'a b' is not one plain name")
    assert_one_line_error(skin_tune_here(*command, "--experiment", "a/b"), "experiment name 'a/b'")
    assert_one_line_error(skin_tune_here(*command, "--rename", "x"), "--rename 'x' is not THEIRS=OURS")
    assert_one_line_error(skin_tune_here("import-wandb", tmp_path), "holds no run-ID.wandb")
    assert not (tmp_path / "runs").exists()
    writer = ExperimentWriter(tmp_path / "runs", "acne", "mine")
    writer.update_trial("mine-000", status="completed")
    writer.flush()
    taken = (*command, "--region", "acne", "--experiment", "mine")
    assert_one_line_error(skin_tune_here(*taken), "'mine' is being run by")
    writer.close()
    assert_one_line_error(skin_tune_here(*taken), "'mine' of acne was not imported; give another --experiment")


def test_runs_without_a_metric_of_ours_wait_for_their_names(tmp_path: Path):
    write_run(tmp_path, "abc", [{"f1": 0.5}], name="tuned", project="a b")
    first = skin_tune_here("import-wandb", tmp_path, "--storage", tmp_path / "runs", "--region", "acne")
    assert "1 run left out: without a metric that the store has a column for" in first.stderr
    assert not (tmp_path / "runs").exists()
    done = import_runs(ImportRequest(tmp_path, tmp_path / "runs", region="acne", renames={"f1": "val_macro_f1"}))
    assert done.statuses.keys() == {("acne", "a-b")}
    assert load_trials(tmp_path / "runs")["trial_id"].tolist() == ["tuned"]


CONFIG = TrialConfig(backbone="resnet18", weights="none", train_loss="ce").to_dict()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage with an experiment that was recorded into the store and to wandb, as `tune` does."""
    storage = tmp_path_factory.mktemp("own")
    store, process = ExperimentWriter(storage, "lip_dryness", "exp"), WandbProcess(storage, "offline")
    log = WandbLog(process, "lip_dryness", "exp")
    store.set_types(COLUMNS)
    for trial, status in (("exp-000", "completed"), ("exp-001", "diverged"), ("exp-002", "interrupted")):
        store.update_trial(trial, status=status, started_at=now(), epochs=3, seed=0, **columns_of(CONFIG))
        log.start(trial, canonical(CONFIG))
        for number, loss in enumerate((1 / 3, math.nan, math.inf), start=1):
            figures = {"train_loss": loss, "val_balanced_acc": 0.1 + 0.2 * (number == 2), "val_recall_mild": 1 / 7}
            timing = {"learning_rate": 1e-3 / 3, "images": 40, "epoch_seconds": 0.7}
            metrics = {"epoch": number, **figures, **timing}
            store.add_epoch(trial, metrics)
            log.log(trial, metrics)
            if number == 2:
                store.record_best(trial, metrics, None)
        store.update_trial(trial, ended_at=now(), error="loss is nan" if status == "diverged" else None)
        log.end(trial, store.trial(trial))
    store.flush()
    store.close()
    process.close()
    return storage


def test_our_own_runs_come_back_as_the_store_has_them(own: Path, tmp_path: Path):
    done = skin_tune_here("import-wandb", own / "wandb", "--storage", tmp_path)
    assert done.stdout == "exp (lip_dryness): 2 runs imported (1 completed, 1 diverged), 6 epochs\n"
    assert done.stderr == "1 run left out: unfinished, or cut off by a kill\n"
    wanted, found = (load_epochs(storage) for storage in (own, tmp_path))
    wanted = wanted[wanted["trial_id"] != "exp-002"]
    pd.testing.assert_frame_equal(found, wanted, check_exact=True, check_like=True)
    assert {*EPOCHS.names} < {*found}
    assert found["train_loss"].dropna().tolist() == [1 / 3, math.inf] * 2
    before, after = (load_trials(storage).set_index("trial_id") for storage in (own, tmp_path))
    before = before.drop("exp-002")
    same = ["status", "epochs", "best_epoch", "val_balanced_acc", "val_recall_mild", "images", "seed", "error"]
    same += [name for name in map(str, before) if name.startswith("config/")]
    pd.testing.assert_frame_equal(after[same], before[same], check_exact=True)
    assert after["seconds"].tolist() == pytest.approx([2.1, 2.1])


def test_the_trials_of_a_store_are_not_taken_into_it_again(own: Path):
    before = load_trials(own)
    done = import_runs(ImportRequest(own, own))
    assert done.statuses == {}
    assert done.skipped["in the store already"] == 2
    assert load_trials(own).equals(before)
    assert not any("wandb_run" in name for name in before)


def test_an_experiment_of_ours_is_not_mixed_with_imported_runs(own: Path, loops: Path):
    with pytest.raises(ExperimentError, match="'exp' of lip_dryness was not imported"):
        import_runs(ImportRequest(loops, own, experiment="exp", region="lip_dryness"))
