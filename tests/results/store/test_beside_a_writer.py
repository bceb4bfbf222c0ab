"""Readers beside a process that writes without rest: they see the old file or the new one, and never half of one."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from skin_tune.data.pack.layout.claims import read_pack_id
from skin_tune.results import load_epochs, load_predictions, load_trials
from skin_tune.results.report import write_report
from skin_tune.results.statistics.compare import compare_regions
from skin_tune.results.store.ranking import rank_trials
from skin_tune.storage.files import location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.training.checkpoint import load_checkpoint
from skin_tune.tuning.experiment.spec import read_spec
from tests.cli_runner import skin_tune_here
from tests.conftest import Bucket

WRITER = """
import itertools, sys
from pathlib import Path
import numpy as np
import torch
from skin_tune.data.pack.format import open_pack
from skin_tune.storage.run_paths import RunPaths
from skin_tune.storage.files import is_local, location, upload
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.training.checkpoint import save_checkpoint
from skin_tune.tuning.experiment.spec import ExperimentSpec
from skin_tune.tuning.space.parameters import Space
from tests.conftest import write_synthetic_pack

storage, scratch = location(sys.argv[1]), Path(sys.argv[2])
packs = [write_synthetic_pack(scratch / f"{seed}.arrow", size=16, seed=seed) for seed in (0, 1)]
paths = RunPaths(storage)
writer = ExperimentWriter(storage, "lip_dryness", "one")
labels = np.repeat(np.arange(3), 20)
for turn in itertools.count(1):
    trial = f"one-{turn % 8:03d}"
    score = 0.3 + 0.6 * (turn % 50) / 50
    writer.update_trial(
        trial, status="running", started_at=now(), seed=0, pack_id="p", epochs=turn, best_epoch=turn,
        val_balanced_acc=score, val_macro_f1=score, **{"config/epochs": 10, "config/learning_rate": 0.1 * (turn % 8)},
    )
    metrics = {"epoch": turn, "train_loss": 1.0, "val_loss": 1.0, "val_balanced_acc": score, "val_macro_f1": score}
    writer.add_epoch(trial, metrics)
    probabilities = np.random.default_rng(turn).dirichlet(np.ones(3), 60).astype(np.float32)
    names = [f"s{row}" for row in range(60)]
    write_predictions(
        storage, "lip_dryness", "one", trial, "val",
        sources=names, subjects=names, about={}, labels=labels, probabilities=probabilities,
    )
    writer.flush()
    if not is_local(storage):
        ExperimentSpec.of(packs[turn % 2], Space("random", "val_balanced_acc", ()), turn, turn, []).write(
            paths.spec("lip_dryness", "one")
        )
        noise = torch.rand(20000 + 1000 * (turn % 7))
        save_checkpoint(paths.checkpoints("lip_dryness", "one", "one-000") / "last.pt", {"epoch": turn, "x": noise})
        upload(packs[turn % 2].path, storage / "pack.arrow")
    if turn == 8:
        print("ready", flush=True)
"""


@contextmanager
def writing(storage: str, scratch: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, storage, str(scratch)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        assert process.poll() is None, "the writer has ended"
    finally:
        process.kill()
        process.wait()


def whole(storage: str) -> None:
    """Read each table; all trials are in it, with all that was written of them."""
    trials, epochs = load_trials(storage), load_epochs(storage)
    assert len(trials) == 8
    assert trials["val_balanced_acc"].notna().all()
    assert set(epochs["trial_id"]) == set(trials["trial_id"])
    assert not epochs.duplicated(["trial_id", "epoch"]).any()
    assert load_predictions(storage).groupby("trial_id").size().tolist() == [60] * 8


def test_five_hundred_reads_of_a_local_store_see_no_half_table(tmp_path: Path):
    storage = str(tmp_path / "runs")
    with writing(storage, tmp_path):
        for _ in range(125):  # of three tables, and a ranking
            whole(storage)
            assert len(rank_trials(location(storage))) == 8


def test_commands_beside_a_writer_end_without_a_traceback(tmp_path: Path):
    storage = tmp_path / "runs"
    commands: list[tuple[Callable[[], object], int]] = [
        (lambda: skin_tune_here("trials", "--storage", storage).check_returncode(), 20),
        (lambda: skin_tune_here("compare", "--storage", storage).check_returncode(), 6),
        (lambda: compare_regions(storage, None, [], metric="val_macro_f1"), 3),
        (lambda: write_report(storage, tmp_path / "report.html"), 3),
    ]
    with writing(str(storage), tmp_path):
        for command, times in commands:
            for _ in range(times):
                command()


def test_a_hundred_reads_of_a_store_in_a_bucket_beside_its_run(bucket: Bucket, tmp_path: Path):
    storage = f"{bucket.url}/runs"
    with writing(storage, tmp_path):
        for _ in range(34):  # of three tables
            whole(storage)


def test_every_other_file_of_a_bucket_is_read_as_a_whole_too(bucket: Bucket, tmp_path: Path):
    storage = location(f"{bucket.url}/runs")
    paths = RunPaths(storage)
    last = paths.checkpoints("lip_dryness", "one", "one-000") / "last.pt"
    with writing(str(storage), tmp_path):
        for _ in range(35):
            assert read_spec(paths.spec("lip_dryness", "one")).metric == "val_balanced_acc"
            state = load_checkpoint(last)
            assert len(state["x"]) == 20000 + 1000 * (state["epoch"] % 7)
            assert len(read_pack_id(storage / "pack.arrow")) == 32
