"""Commands that need no cluster, ended by a signal in the middle of their work: one line, and nothing half-written."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from skin_tune.results import load_test_openings
from tests.cli_runner import skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.commands import Command, command, lines_of
from tests.integration.processes import wait_until

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=32", "epochs=1", "warmup_epochs=0")
Start = Callable[..., Command]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command whose scratch folders lie in a place of their own."""
    (tmp_path / "scratch").mkdir()
    commands: list[Command] = []

    def begin(*words: object, job: str | None = None) -> Command:
        commands.append(command(*words, job=job, TMPDIR=str(tmp_path / "scratch")))
        return commands[-1]

    yield begin
    for each in commands:
        if each.process.poll() is None:
            each.kill_everything()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    pack = write_synthetic_pack(folder / "pack.arrow")
    where = ("--storage", folder / "runs", "--name", "hand", "--wandb", "disabled")
    done = skin_tune_here("train", pack.path, *SMALL, *where)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("runs/experiments/*/hand/checkpoints/hand/best.pt"))


def photos(folder: Path, count: int) -> Path:
    """So many photos of one picture that takes a while to read."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (1200, 1200, 3), np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    for number in range(1, count):
        (folder / f"{number}.png").hardlink_to(folder / "0.png")
    return folder


def wait_for_torch(run: Command, seconds: float = 3) -> None:
    """Return a moment after a command has loaded PyTorch: it works now."""

    def loaded() -> bool:
        run.check_runs()
        return any("libtorch_cpu" in each.path for each in psutil.Process(run.process.pid).memory_maps())

    wait_until(loaded)
    time.sleep(seconds)


def assert_interrupted(run: Command, number: signal.Signals, folder: Path) -> None:
    run.check_runs()
    run.look()
    run.process.send_signal(number)
    code, out, err = run.ended()
    assert (code, lines_of(err)) == (128 + number, ["interrupted"]), (out, err)
    assert not list((folder / "scratch").glob("skin-tune*"))
    assert not [path for path in folder.rglob(".*") if path.suffix == ".tmp" or path.name.startswith(".prepare-")]


@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_prepare_leaves_no_pack_and_no_folder(number: signal.Signals, start: Start, tmp_path: Path):
    for grade in "012":
        photos(tmp_path / "raw" / grade, 500)
    out = tmp_path / "packs"
    run = start("prepare", tmp_path / "raw", "--region", "acne", "--out", out)
    run.wait_for(out, ".prepare-*")
    time.sleep(2)
    assert_interrupted(run, number, tmp_path)
    assert not out.exists()


@pytest.mark.parametrize("number", [INT, TERM])
def test_sample_leaves_no_photo(number: signal.Signals, start: Start, tmp_path: Path):
    run = start("sample", tmp_path / "raw", "--subjects", 300)
    run.wait_for(tmp_path, ".raw-*/tree/*")
    assert_interrupted(run, number, tmp_path)
    assert not list(tmp_path.glob("*raw*"))


def test_predict_says_no_more(start: Start, model: Path, tmp_path: Path):
    run = start("predict", model, photos(tmp_path / "photos", 3000))
    wait_for_torch(run)
    assert_interrupted(run, TERM, tmp_path)


def test_evaluate_has_recorded_that_it_opened_the_test_split(start: Start, model: Path, tmp_path: Path):
    counts = {"train": (1, 1, 1), "val": (1, 1, 1), "test": (4000, 4000, 4000)}
    pack = write_synthetic_pack(tmp_path / "pack.arrow", counts)
    storage = tmp_path / "runs"
    run = start("evaluate", model, pack.path, "--storage", storage)
    run.wait_for(storage, "results/test_openings/**/*.parquet")
    assert_interrupted(run, HUP, tmp_path)
    assert load_test_openings(storage)["command"].tolist() == ["evaluate"]


def test_export_leaves_no_program(start: Start, model: Path, tmp_path: Path):
    run = start("export", model, "--out", tmp_path / "grader.pt2")
    wait_for_torch(run, seconds=1)
    assert_interrupted(run, TERM, tmp_path)
    assert not (tmp_path / "grader.pt2").exists()


@pytest.mark.parametrize("job", ["tune_region acne", "tune_all --region acne", "ablation acne"])
def test_a_job_that_prepares_its_pack_begins_no_experiment(job: str, start: Start, tmp_path: Path):
    for grade in "012":
        photos(tmp_path / "raw" / grade, 500)
    name, *words = job.split()
    packs, storage = tmp_path / "packs", tmp_path / "runs"
    run = start(*words, "--data", tmp_path / "raw", "--packs", packs, "--storage", storage, job=name)
    run.wait_for(packs, ".prepare-*")
    assert_interrupted(run, TERM, tmp_path)
    assert not packs.exists()
    assert not storage.exists()
