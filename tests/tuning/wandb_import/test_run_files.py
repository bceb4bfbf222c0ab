"""Real files of wandb, whole, resumed, cut off and damaged."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skin_tune.errors import StoreError
from skin_tune.tuning.wandb_import.run_files import find_runs, read_run
from tests.tuning.wandb_import.loops import write_run

ROWS: list[dict[str, Any]] = [
    {"val": {"acc": 0.5, "loss": math.nan}, "val/f1": 0.25, "rate": math.inf, "note": "x"},
    {"val/f1": 1},
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop")
    config = {"lr": 0.001, "model": {"name": "resnet18"}, "sizes": [1, 2]}
    return write_run(folder, "abc", ROWS, config, exit_code=3, name="first", group="sweep", tags=["a", "b"])


def test_what_was_logged_is_read_with_points_between_nested_keys(file: Path):
    run = read_run("abc", [file])
    assert (run.project, run.name, run.group, run.tags) == ("grades", "first", "sweep", ["a", "b"])
    assert run.config == {"lr": 0.001, "model": {"name": "resnet18"}, "sizes": [1, 2]}
    first, second = run.history
    assert {key: first[key] for key in ("val.acc", "val/f1", "rate", "note")} == {
        "val.acc": 0.5,
        "val/f1": 0.25,
        "rate": math.inf,
        "note": "x",
    }
    assert math.isnan(first["val.loss"])
    assert (second["val/f1"], second["_step"]) == (1, 1)
    assert (run.exit_code, run.damage) == (3, "")
    assert run.started_at is not None
    assert abs(datetime.now(UTC) - run.started_at) < timedelta(hours=1)


def test_a_resumed_run_has_several_files_and_the_last_one_says_how_it_ended(tmp_path: Path):
    write_run(tmp_path, "abc", [{"epoch": 1}], {"lr": 1}, exit_code=1)
    online = next((tmp_path / "wandb").glob("offline-run-*"))
    online.rename(online.with_name("run-20260101_000000-abc"))
    write_run(tmp_path, "abc", [{"epoch": 2}], {"lr": 1, "late": 2}, resume="allow")
    write_run(tmp_path, "other", [{"epoch": 1}])
    found = find_runs(tmp_path)
    assert {run_id: len(files) for run_id, files in found.items()} == {"abc": 2, "other": 1}
    assert find_runs(tmp_path / "wandb") == found
    run = read_run("abc", found["abc"])
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert run.config == {"lr": 1, "late": 2}
    assert run.exit_code == 0
    assert list(find_runs(found["other"][0].parent)) == ["other"]


def test_a_file_that_is_cut_off_anywhere_is_unfinished(file: Path, tmp_path: Path):
    whole = file.read_bytes()
    part = tmp_path / "run-abc.wandb"
    lengths = set()
    for length in range(0, len(whole), 53):
        part.write_bytes(whole[:length])
        run = read_run("abc", [part])
        assert run.damage == "", length
        assert run.exit_code is None or len(run.history) == 2, "what comes after its end is not needed"
        lengths.add(len(run.history))
    assert lengths == {0, 1, 2}


def test_a_byte_that_is_another_is_noticed_wherever_it_is(file: Path, tmp_path: Path):
    whole = file.read_bytes()
    part = tmp_path / "run-abc.wandb"
    for at in range(0, len(whole), 37):
        part.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        run = read_run("abc", [part])
        assert run.damage or run.exit_code is None, at
    assert "run-abc.wandb is no file of wandb's, or is damaged" in read_run("abc", [_text(tmp_path)]).damage


def _text(folder: Path) -> Path:
    (folder / "run-abc.wandb").write_text("not what it says\n" * 9)
    return folder / "run-abc.wandb"


def test_a_folder_without_runs_says_what_was_looked_for(tmp_path: Path):
    with pytest.raises(StoreError, match=r"holds no run-ID.wandb, nor does a folder \*run-\* in it"):
        find_runs(tmp_path)
    with pytest.raises(StoreError, match=r"none' is not a folder; give the folder `wandb` of your runs"):
        find_runs(tmp_path / "none")
