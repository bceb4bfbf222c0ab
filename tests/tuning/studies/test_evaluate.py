"""Each opening of a test split is recorded, before it happens; no other split is."""

from pathlib import Path

import numpy as np
import pytest

from skin_tune.errors import CheckpointError, PackError, StoreError
from skin_tune.results.store.tables import load_test_openings
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.studies.evaluate import run_evaluation
from tests.conftest import PackMaker
from tests.local import local
from tests.models import write_model

SMALLEST = {"train": (8, 8), "val": (3, 3), "test": (4, 2)}


def test_a_test_split_is_counted_each_time_and_another_split_never(make_pack: PackMaker, tmp_path: Path):
    pack, storage = make_pack(SMALLEST, size=16), tmp_path / "runs"
    file = RunPaths(storage).checkpoints("lip_dryness", "exp", "exp-003") / "best.pt"
    file.parent.mkdir(parents=True)
    write_model(local(file), pack)
    assert run_evaluation(file, pack.path, "val", storage).test_openings is None
    assert not (storage / "results").exists()
    for times in (1, 2):
        done = run_evaluation(file, pack.path, "test", storage)
        assert done.test_openings == times
    assert done.evaluation.confusion.sum(axis=1).tolist() == [4, 2]
    assert np.allclose(done.evaluation.probabilities.sum(axis=1), 1)
    openings = load_test_openings(storage)
    assert set(openings["trial_id"]) == {"exp-003"}
    assert set(openings["experiment"]) == {"exp"}
    assert openings["pack_id"].tolist() == [pack.info.pack_id] * 2


def test_models_that_were_moved_away_are_told_apart_by_their_content(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack(SMALLEST, size=16)
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        file = write_model(tmp_path / str(number) / "best.pt", pack, seed=number)
        run_evaluation(file, pack.path, "test", tmp_path / "runs")
    openings = load_test_openings(tmp_path / "runs")
    assert openings["trial_id"].str.match(r"best-[0-9a-f]{8}$").all()
    assert openings["trial_id"].nunique() == 2
    assert set(openings["experiment"]) == {"evaluate"}


def test_a_test_split_that_cannot_be_graded_stays_closed(make_pack: PackMaker, tmp_path: Path):
    pack, storage = make_pack(SMALLEST, size=16), tmp_path / "runs"
    file = write_model(tmp_path / "best.pt", pack)
    four = make_pack({"train": (4,) * 4, "val": (2,) * 4, "test": (2,) * 4}, size=16, name="four")
    with pytest.raises(PackError):
        run_evaluation(file, four.path, "test", storage)
    empty = make_pack({**SMALLEST, "test": (0, 0)}, size=16, name="empty")
    with pytest.raises(PackError, match="has no test image"):
        run_evaluation(file, empty.path, "test", storage)
    with pytest.raises(PackError, match="--split 'all' is not one of train, val, test"):
        run_evaluation(file, pack.path, "all", storage)
    (tmp_path / "none.pt").write_bytes(b"no model")
    with pytest.raises(CheckpointError):
        run_evaluation(tmp_path / "none.pt", pack.path, "test", storage)
    assert not storage.exists()


def test_where_the_opening_cannot_be_recorded_nothing_is_graded(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack(SMALLEST, size=16)
    file = write_model(tmp_path / "best.pt", pack)
    (tmp_path / "runs").write_text("a file in the place of the storage")
    with pytest.raises(StoreError, match="cannot write to"):
        run_evaluation(file, pack.path, "test", tmp_path / "runs")
