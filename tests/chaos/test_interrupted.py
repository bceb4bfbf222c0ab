"""A refit, a confirmation and an ablation that a signal ends go on with the same command."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skin_tune.results import load_epochs, load_test_openings, load_trials
from skin_tune.storage.run_paths import RunPaths
from tests.cli_runner import skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.commands import Command, command, lines_of
from tests.local import local

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=16", "warmup_epochs=0")
EPOCHS = 6
COUNTS = {"train": (40, 20, 10), "val": (8, 6, 4), "test": (8, 6, 4)}


def interrupt(run: Command, number: signal.Signals, what: str) -> None:
    """End a run that works; it says so in one line and leaves no process."""
    run.check_runs()
    run.look()
    run.process.send_signal(number)
    code, _, err = run.ended()
    (said,) = lines_of(err)
    print(f"{what}, {number.name}: exit code {code}, {said!r}", flush=True)
    assert (code, said.partition(":")[0]) == (128 + number, "interrupted"), what


def go_on(*words: object, job: str | None = None) -> None:
    code, _, err = command(*words, job=job).ended(300)
    assert code == 0, err


def a_refit_that_is_ended_twice_tests_its_model_once(folder: Path) -> None:
    storage = folder / "runs"
    words = ("hand", "--workers", 2, "--storage", storage)
    last = RunPaths(storage).checkpoints("lip_dryness", "hand", "hand-refit") / "last.pt"
    stamp = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        run = command(*words, job="refit_best")
        run.wait_for(local(last.parent), "last.pt")
        while last.stat().st_mtime_ns == stamp:
            run.check_runs()
            time.sleep(0.02)
        interrupt(run, number, "refit")
        stamp = last.stat().st_mtime_ns
    go_on(*words, job="refit_best")
    facts = RunPaths(storage).refit("lip_dryness", "hand", "hand-refit") / "metrics.json"
    assert json.loads(facts.read_text())["epochs"] == EPOCHS
    assert load_test_openings(storage)["command"].tolist() == ["refit"]
    assert not last.exists()


def a_confirmation_that_is_ended_goes_on(folder: Path) -> None:
    storage = folder / "runs"
    words = ("confirm", "hand", "--top", 1, "--seeds", 2, "--concurrent", 2, "--storage", storage)
    run = command(*words)
    run.wait_for(storage, "experiments/*/hand-confirm/checkpoints/*/last.pt")
    interrupt(run, signal.SIGHUP, "confirm")
    go_on(*words)
    assert_complete(storage, "hand-confirm", 2, EPOCHS)


def an_ablation_that_is_ended_goes_on(folder: Path) -> None:
    storage, figure = folder / "runs", folder / "figure.html"
    where = ("--packs", folder, "--size", 32, "--storage", storage, "--out", figure)
    words = ("lip_dryness", *where, "--seeds", 1, "--concurrent", 2, *SMALL, "epochs=2")
    run = command(*words, job="ablation")
    run.wait_for(storage, "experiments/*/ablation/checkpoints/*/last.pt")
    interrupt(run, signal.SIGINT, "ablation")
    assert not figure.exists()
    go_on(*words, job="ablation")
    assert figure.exists()
    assert_complete(storage, "ablation", 12, 2)


def assert_complete(storage: Path, experiment: str, trials: int, epochs: int) -> None:
    assert load_trials(storage, experiment=experiment)["status"].tolist() == ["completed"] * trials
    found = load_epochs(storage, experiment=experiment).groupby("trial_id")["epoch"].apply(list)
    assert found.tolist() == [list(range(1, epochs + 1))] * trials


def test_what_a_signal_ends_goes_on_with_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    pack = write_synthetic_pack(tmp_path / "lip_dryness-32.arrow", COUNTS)
    where = ("--storage", tmp_path / "runs", "--name", "hand")
    done = skin_tune_here("train", pack.path, *SMALL, f"epochs={EPOCHS}", *where)
    assert done.returncode == 0, done.stderr
    print()
    scenes = (
        a_refit_that_is_ended_twice_tests_its_model_once,
        a_confirmation_that_is_ended_goes_on,
        an_ablation_that_is_ended_goes_on,
    )
    with ThreadPoolExecutor(2) as beside:
        ends = [beside.submit(scene, tmp_path) for scene in scenes]
    for end in ends:
        end.result()
