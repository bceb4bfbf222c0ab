"""What the build before modules moved into rooms has left is opened, read and resumed as today's own is."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import skin_tune
from skin_tune.config.trial_config import LEGACY_VALUES
from skin_tune.data.pack.format import content_of
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.metrics import ADJUSTED
from skin_tune.results import load_epochs, load_predictions, load_test_openings, load_trials
from tests.cli_runner import ROOT, skin_tune_here
from tests.integration.processes import checkpoint_of, wait_until
from tests.local import local

BEFORE = "5108ea8dbb6c640c2b09f36381b9d7a4ffc5a57d"
KEPT = ROOT / "tests" / "fixtures" / "before_the_move"
"""A pack, and a storage without its checkpoints: `by-hand` was trained, `half` was ended by its target in the first of
three trials, `done` ran its two trials and was refitted. All from `draw_photos` and commands of that build."""
PACK_ID = "932571df2e94f93e1baa21916a7a27a2"
"""What that build called the pack."""

COMMANDS = """
import json, sys
from skin_tune.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["skin-tune", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code
"""
SPACE = """
method: bayes
early_terminate: {type: hyperband, min_iter: 2, eta: 2}
run_cap: 3
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
  oversample: {values: [none, balanced]}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 16}
  batch_size: {value: 16}
  epochs: {value: 6}
"""
SMALL = ("backbone=resnet18", "weights=none", "image_size=16", "batch_size=16", "schedule=constant", "warmup_epochs=0")


def draw_photos(root: Path) -> None:
    """Class folders of 18, 12 and 9 images, 16 x 16, brighter with their grade."""
    rng = np.random.default_rng(0)
    for grade, count in enumerate((18, 12, 9)):
        (root / str(grade)).mkdir(parents=True)
        for number in range(count):
            pixels = rng.normal(50 + 80 * grade, 25, (16, 16, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / str(grade) / f"{grade}{number:02d}.png")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A copy of what was kept, that a test may write to."""
    return Path(shutil.copytree(KEPT, tmp_path / "kept"))


def test_a_pack_is_what_it_was_and_what_prepare_writes_today(kept: Path, tmp_path: Path):
    pack = skin_tune.open_pack(kept / "acne-16.arrow")
    assert (pack.info.region, pack.classes, pack.info.size) == ("acne", ["0", "1", "2"], 16)
    assert pack.info.counts["train"] == {"0": 10, "1": 7, "2": 5}
    assert content_of(pack) == pack.info.pack_id == PACK_ID
    draw_photos(tmp_path / "photos")
    [today] = skin_tune.prepare(tmp_path / "photos", "acne", size=16, out=tmp_path / "packs")
    assert table_of(local(today.path)).equals(table_of(local(pack.path)))
    assert skin_tune.open_pack(today.path).info == pack.info


def table_of(pack: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(pack))).read_all()


def test_a_store_is_read_as_it_was_written(kept: Path):
    storage = kept / "storage"
    trials = load_trials(storage).set_index("trial_id")
    assert trials["status"].to_dict() == {
        "by-hand": "completed",
        "done-000": "completed",
        "done-001": "stopped_early",
        "half-000": "interrupted",
    }
    assert load_epochs(storage).groupby("trial_id").size().to_dict() == trials["epochs"].to_dict()
    said = load_predictions(storage, split="val")
    right = (said["label"] == said["predicted"]).groupby(said["trial_id"]).mean()
    assert right[trials.index].tolist() == trials["val_acc"].tolist()
    assert load_test_openings(storage)["command"].tolist() == ["refit"]
    assert skin_tune.compare(storage, "acne").trials["trial_id"].iloc[0] == "done-000"
    page = skin_tune.report(storage, kept / "report.html").read_text()
    assert "done-000-refit" in page


def test_experiments_are_resumed_by_name_though_nothing_is_left_to_run(kept: Path):
    ended = {
        name: skin_tune.tune(kept / "acne-16.arrow", name=name, storage=kept / "storage", resume=True)
        for name in ("half", "done")
    }
    assert [outcome.seconds for outcome in ended.values()] == [None, None]
    assert str(ended["half"].reached) == "target val_balanced_acc 0.01 reached by half-000 in epoch 1"
    assert ended["done"].trials["trial_id"].tolist() == ["done-000", "done-001"]
    with pytest.raises(skin_tune.errors.SkinTuneError, match="its trials would not compare: seed was 0, is 1"):
        skin_tune.tune(kept / "acne-16.arrow", name="done", storage=kept / "storage", resume=True, seed=1)


@dataclass(frozen=True)
class Left:
    """What the earlier build left, and its space file."""

    pack: Path
    storage: Path
    space: Path

    def checkpoint(self, run: str, file: str) -> Path:
        return self.storage / "experiments" / "acne" / run / "checkpoints" / run / file


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """A pack, a training of two epochs, and an experiment that was killed in its second trial or its third."""
    folder = tmp_path_factory.mktemp("before")
    check_out(folder / "build")
    draw_photos(folder / "photos")
    (folder / "space.yaml").write_text(SPACE)
    pack, one_process = "packs/acne-16.arrow", ("--concurrent", "1", "--cpus-per-trial", "1")
    commands = [
        ("prepare", "photos", "--region", "acne", "--size", "16"),
        ("train", pack, *SMALL, "epochs=2", "--name", "by-hand"),
        ("tune", pack, "--space", "space.yaml", "--name", "half", *one_process),
    ]
    process = start(folder, commands)
    wait_until(lambda: later_runs(folder / "runs") or process.poll() is not None)
    process.kill()
    assert process.wait() == -signal.SIGKILL, (folder / "said").read_text()
    return Left(folder / pack, folder / "runs", folder / "space.yaml")


def later_runs(storage: Path) -> bool:
    """Whether the store says that a trial of `half` after the first runs, and it has a checkpoint."""
    if not list(storage.glob("results/trials/*/experiment=half")):
        return False
    trials = load_trials(storage, experiment="half")
    running = {str(name) for name in trials["trial_id"][trials["status"] == "running"]}
    return any(checkpoint_of(storage, "half", number) for number in (1, 2) if f"half-{number:03d}" in running)


def check_out(folder: Path) -> None:
    """Put the package of the earlier build into `folder`; skip the test where this clone does not have it."""
    command = ["git", "-C", str(ROOT), "archive", BEFORE, "skin_tune", "search_spaces"]
    try:
        archive = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"the build before the move, commit {BEFORE[:7]}, is not in this clone")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def start(folder: Path, commands: Sequence[Sequence[str]]) -> subprocess.Popen[bytes]:
    """Commands of the build in `folder`, one after another in one process, on a Ray of their own."""
    env = {**os.environ, "PYTHONPATH": str(folder / "build"), "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    env.pop("RAY_ADDRESS", None)
    with (folder / "said").open("wb") as said:
        words = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
        return subprocess.Popen(words, cwd=folder, env=env, stdout=said, stderr=said, start_new_session=True)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in the order in which a process of one thread makes them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learnt(storage: Path, experiment: str) -> pd.DataFrame:
    """What each trial had learnt after each epoch, by metrics of that build, under names without the experiment's."""
    epochs = load_epochs(storage, "acne", experiment)
    epochs["trial_id"] = epochs["trial_id"].str.replace(experiment, "trial")
    then = [name for name in map(str, epochs) if not name.endswith(ADJUSTED)]
    scores = [name for name in then if name.startswith(("train_", "val_", "learning_rate"))]
    return epochs.sort_values(["trial_id", "epoch"]).set_index(["trial_id", "epoch"])[scores]


def test_a_model_grades_as_it_did(left: Left):
    model = left.checkpoint("by-hand", "best.pt")
    assert skin_tune.load_model(model).classes == ["0", "1", "2"]
    graded = evaluate_file(model, left.pack, "val")
    said = load_predictions(left.storage, experiment="by-hand", split="val").set_index("source").loc[graded.sources]
    np.testing.assert_allclose(graded.probabilities, np.stack(said["probabilities"].to_list()), rtol=1e-3, atol=1e-6)


@pytest.mark.usefixtures("one_thread")
def test_a_training_ends_like_one_that_was_never_interrupted(left: Left):
    where = ("--storage", left.storage)
    resumed = skin_tune_here("train", left.pack, "epochs=4", "--resume", left.checkpoint("by-hand", "last.pt"), *where)
    assert resumed.returncode == 0, resumed.stderr
    as_then = (*SMALL, "epochs=4", *(f"{name}={value}" for name, value in LEGACY_VALUES.items()))
    unbroken = skin_tune_here("train", left.pack, *as_then, "--name", "unbroken", *where)
    assert unbroken.returncode == 0, unbroken.stderr
    assert len(learnt(left.storage, "by-hand")) == 4
    pd.testing.assert_frame_equal(learnt(left.storage, "by-hand"), learnt(left.storage, "unbroken"))


@pytest.mark.usefixtures("shared_cluster")
def test_an_experiment_ends_like_one_that_was_never_interrupted(left: Left, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert "running" in load_trials(left.storage, experiment="half")["status"].tolist()
    noted = left.storage / "experiments" / "acne" / "half" / "asked.json"
    twin = noted.parents[1] / "whole"  # started by that build, too, and killed before its first trial
    twin.mkdir()
    shutil.copy(noted, twin)
    before = learnt(left.storage, "half")
    resumed = skin_tune.tune(name="half", storage=left.storage, resume=True)
    assert 0 < len(before) < len(learnt(left.storage, "half"))
    unbroken = skin_tune.tune(name="whole", storage=left.storage, resume=True)
    assert resumed.trials["status"].tolist() == unbroken.trials["status"].tolist()
    pd.testing.assert_frame_equal(learnt(left.storage, "half"), learnt(left.storage, "whole"))
    for table in ("trials", "epochs"):
        ours, theirs = (
            pq.read_schema(next(root.glob(f"results/{table}/*/*/*.parquet")))
            for root in (left.storage, KEPT / "storage")
        )
        assert {field.name: field.type for field in theirs}.items() <= {
            field.name: field.type for field in ours
        }.items()
    assert set(load_trials(left.storage, experiment="half")["config/epoch_images"].fillna(-1)) == {-1}
