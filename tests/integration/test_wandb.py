"""Real wandb runs, written offline and read back."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml
from wandb.wandb_agent import Agent

from skin_tune import result_grid
from skin_tune.config import FIELDS, TrialConfig, canonical, live
from skin_tune.results import load_epochs, load_trials
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.tracking import wandb_client as wandb_log
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess
from tests.cli_runner import ONE_PROCESS, ROOT, assert_one_line_error, skin_tune, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.offline_runs import offline_runs
from tests.integration.processes import wait_until

SPACE = """
method: grid
parameters:
  learning_rate: {values: [1.0e-3, 1.0e+30]}
  optimizer: {value: sgd}
  epochs: {value: 2}
"""
SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=16", "warmup_epochs=0")


@pytest.mark.usefixtures("shared_cluster")
def test_every_trial_is_a_run_that_says_what_the_store_says(tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow"), tmp_path / "runs"
    (tmp_path / "space.yaml").write_text(SPACE)
    where = ("--space", tmp_path / "space.yaml", "--storage", storage)
    done = skin_tune_here("tune", pack.path, *SMALL, *where, "--name", "exp", *ONE_PROCESS, "--wandb", "offline")
    assert done.returncode == 0, done.stderr
    assert f"wandb: 2 runs were written offline; upload them with: wandb sync {storage}/wandb" in done.stderr

    runs = {run.name: run for run in offline_runs(storage).values()}
    trials, epochs = load_trials(storage).set_index("trial_id"), load_epochs(storage)
    assert set(runs) == set(trials.index) == {"exp-000", "exp-001"}
    for name, run in runs.items():
        row = trials.loc[name]
        assert (run.group, run.job_type) == ("exp", "lip_dryness")
        assert run.summary["status"] == row["status"]
        assert {row["status"], "lip_dryness", "resnet18"} <= set(run.tags)
        for column in (column for column in trials.columns if column.startswith("config/")):
            value: object = None if pd.isna(row[column]) else row[column]  # it means nothing to this config
            assert run.config[column.removeprefix("config/")] == value
        recorded = epochs[epochs["trial_id"] == name].set_index("epoch")
        assert [step["_step"] for step in run.steps] == recorded.index.tolist()
        for step in run.steps:
            for metric, value in recorded.loc[step["epoch"]].drop("trial_id").dropna().items():
                if metric not in ("region", "experiment"):
                    assert step[metric] == pytest.approx(value), metric
    assert runs["exp-000"].summary["best_val_balanced_acc"] == trials.loc["exp-000", "val_balanced_acc"]
    assert (runs["exp-000"].exit_code, runs["exp-001"].exit_code) == (0, 1)
    assert runs["exp-001"].summary["error"] == trials.loc["exp-001", "error"]


def test_a_training_comes_back_from_its_wandb_run_as_the_store_has_it(tmp_path: Path):
    pack = write_synthetic_pack(tmp_path / "pack.arrow")
    command = ("train", pack.path, *SMALL, "epochs=2", "--name", "hand", "--wandb", "offline")
    done = skin_tune_here(*command, "--storage", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    done = skin_tune_here("import-wandb", tmp_path / "runs", "--storage", tmp_path / "other")
    assert done.stdout == "hand (lip_dryness): 1 run imported (1 completed), 2 epochs\n"
    assert done.stderr == ""
    wanted, found = (load_epochs(tmp_path / name) for name in ("runs", "other"))
    pd.testing.assert_frame_equal(found, wanted, check_exact=True, check_like=True)
    wanted, found = (load_trials(tmp_path / name) for name in ("runs", "other"))
    same = [
        name
        for name in map(str, wanted)
        if name.startswith(("config/", "val_", "train_", "best_", "trial_id", "status"))
    ]
    pd.testing.assert_frame_equal(found[same], wanted[same], check_exact=True)
    best = result_grid(tmp_path / "other", experiment="hand").get_best_result("val_balanced_acc", "max", scope="all")
    assert best.config["backbone"] == "resnet18"
    assert best.metrics_dataframe["val_balanced_acc"].max() == wanted["val_balanced_acc"].item()
    assert best.checkpoint is None


def test_a_resumed_training_goes_on_in_the_run_it_is_told(tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow"), tmp_path / "runs"
    common = ("train", pack.path, *SMALL, "--storage", storage)
    first = skin_tune_here(*common, "epochs=1", "--name", "hand", "--wandb-id", "abc123", "--wandb", "offline")
    assert first.returncode == 0, first.stderr
    last = next(storage.glob("experiments/*/hand/checkpoints/*/last.pt"))
    for more in ((), ("--wandb-id", "abc123")):
        epochs = 2 + len(more) // 2
        again = skin_tune_here(*common, f"epochs={epochs}", "--resume", last, "--wandb", "offline", *more)
        assert again.returncode == 0, again.stderr
    runs = offline_runs(storage)
    run = runs.pop("abc123")
    assert [step["_step"] for step in run.steps] == [1, 2, 3]
    assert (run.name, run.group) == ("hand", "hand")
    assert not runs


@pytest.mark.parametrize("by_module", [False, True], ids=["the shipped command", "${env} ${interpreter}"])
def test_wandbs_own_agent_trains_what_the_sweep_says(by_module: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pack = write_synthetic_pack(tmp_path / "pack.arrow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("SKIN_TUNE_STORAGE", str(tmp_path / "runs"))
    for name, value in (
        ("MODE", "offline"),
        ("SWEEP_ID", "sweep"),
        ("RUN_ID", ""),
        ("SWEEP_PARAM_PATH", ""),
        ("DIR", "."),
    ):
        monkeypatch.setenv(f"WANDB_{name}", value)  # the agent writes some of them itself
    program, train, _, words = yaml.safe_load((ROOT / "search_spaces" / "default.yaml").read_text())["command"]
    agent = Agent(None, None)
    agent._sweep_command = [program, train, str(pack.path), words]
    if by_module:
        agent._sweep_command[:1] = ["${env}", "${interpreter}", "-m", "skin_tune"]
    values: dict[str, Any] = {
        "weights": None,
        "learning_rate": 1e-5,
        "amp": False,
        "augmentation_methods": ["rotation", "color_jitter"],
    }
    values |= {"backbone": "resnet18", "image_size": 32, "batch_size": 42, "epochs": 1}
    args = {name: {"value": value} for name, value in values.items()}
    reply = agent._process_command({"type": "run", "run_id": "abc123", "program": "none.py", "args": args})
    assert "exception" not in reply
    assert agent._run_processes["abc123"].wait() == 0
    runs = offline_runs(tmp_path / "runs")
    row = load_trials(tmp_path / "runs").iloc[0]
    config = TrialConfig.from_mapping(values)
    form = canonical(config.to_dict())
    stored = {name: row[f"config/{name}"] for name in FIELDS}
    assert {name: None if pd.isna(value) else value for name, value in stored.items()} == form
    logged = runs["abc123"].config  # in which wandb keeps the sweep's own words: null for none
    assert TrialConfig.from_mapping({name: logged[name] for name in live(form)}) == config
    assert {logged[name] for name in form if form[name] is None} == {None}
    assert [step["_step"] for step in runs["abc123"].steps] == [1]


def test_a_server_that_cannot_be_reached_costs_no_training_and_the_key_is_nowhere(tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow"), tmp_path / "runs"
    key = "5e8c" * 10
    env = {name: value for name, value in os.environ.items() if name != "WANDB_MODE"}
    env |= {"WANDB_API_KEY": key, "WANDB_BASE_URL": "http://127.0.0.1:9", "HOME": str(tmp_path)}
    done = skin_tune("train", pack.path, *SMALL, "epochs=2", "--storage", storage, "--name", "far", env=env)
    assert done.returncode == 0, done.stderr
    assert "going on offline" in done.stderr
    (run,) = offline_runs(storage).values()
    assert [step["_step"] for step in run.steps] == [1, 2]
    assert key not in done.stdout + done.stderr
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert key.encode() not in file.read_bytes(), file


def test_wandb_can_be_turned_off_and_a_mistyped_mode_is_refused(tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow"), tmp_path / "runs"
    common = ("train", pack.path, *SMALL, "epochs=1", "--storage", storage)
    assert_one_line_error(skin_tune_here(*common, "--wandb", "onlin"), "--wandb 'onlin'", "online, offline, disabled")
    assert not storage.exists()
    done = skin_tune_here(*common, "--wandb", "disabled")
    assert done.returncode == 0, done.stderr
    assert "wandb:" not in done.stderr
    assert not (storage / "wandb").exists()


def test_the_end_waits_for_runs_that_are_still_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wandb_log, "CLOSING_SECONDS", 10)
    RunPaths(tmp_path).experiment("lip_dryness", "exp").mkdir(parents=True)
    process = WandbProcess(tmp_path, "offline")
    log = WandbLog(process, "lip_dryness", "exp")
    for number in range(200):
        log.start(f"exp-{number}", TrialConfig().to_dict())
        log.log(f"exp-{number}", {"epoch": 1, "val_balanced_acc": 0.5})
        log.end(f"exp-{number}", {"status": "completed"})
    writer = max(psutil.Process().children(), key=lambda child: child.create_time())
    assert "skin_tune.tuning.tracking.wandb_process" in writer.cmdline()

    def begun() -> int:
        return len(list(tmp_path.glob("wandb/offline-run-*")))

    def hold_up() -> None:  # for less than is waited each time, for more together
        for _ in range(4):
            before = begun()
            wait_until(lambda before=before: begun() > before)
            writer.suspend()
            time.sleep(3)
            writer.resume()

    wait_until(begun)
    with ThreadPoolExecutor() as beside:
        held_up = beside.submit(hold_up)
        said = process.close()
    held_up.result()
    assert said.startswith("wandb: 200 runs were written offline")
    runs = offline_runs(tmp_path).values()
    assert [run.summary["status"] for run in runs] == ["completed"] * 200
