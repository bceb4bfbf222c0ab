"""What somebody who follows an experiment is told, and what is read for it."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from skin_tune.errors import StoreError
from skin_tune.results.store.table_file import read_table
from skin_tune.results.watch import parts
from skin_tune.results.watch.experiment import LiveExperiment
from skin_tune.results.watch.store import LiveStore
from skin_tune.storage.files import location
from tests.conftest import Bucket
from tests.results.report.report_store import write_trials
from tests.results.watch.growing import METRIC, begin, epoch, run

pytestmark = pytest.mark.usefixtures("no_pause")


class Follower:
    """Asks as the page does, and keeps what it was told."""

    def __init__(self, experiment: LiveExperiment):
        self.experiment, self.version = experiment, ""
        self.trials: dict[str, Any] = {}

    def ask(self) -> list[str]:
        """The trials that it is told of now."""
        news = self.experiment.changes(self.version)
        if news is None:
            return []
        if news["whole"]:
            self.trials.clear()
        self.trials |= {trial["id"]: trial for trial in news["trials"]}
        self.version = news["version"]
        return [trial["id"] for trial in news["trials"]]

    def curve(self, trial: str) -> list[list[Any]]:
        return self.trials[trial]["points"]


def follower(storage: Any, name: str = "exp") -> Follower:
    return Follower(LiveExperiment(location(storage), "neck", name, None))


def test_only_trials_that_have_changed_are_told(tmp_path: Path):
    with run(tmp_path) as writer:
        begin(writer, "exp-000")
        seen = follower(tmp_path)
        assert seen.ask() == ["exp-000"]
        assert seen.ask() == []
        begin(writer, "exp-001")
        epoch(writer, "exp-001", 1, 0.25)
        assert seen.ask() == ["exp-001"]
        epoch(writer, "exp-000", 1, 0.5)
        epoch(writer, "exp-000", 2, 0.62349)
        assert seen.ask() == ["exp-000"]
        assert seen.curve("exp-000") == [[1, 0.5], [2, 0.6235]]
        assert seen.trials["exp-000"]["status"] == "running"
        writer.update_trial("exp-001", status="stopped_early")
        writer.flush()
        assert seen.ask() == ["exp-001"]
    assert follower(tmp_path).ask() == ["exp-000", "exp-001"]  # who comes later is told all


def test_files_are_read_again_only_once_they_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []

    def counting(file: Any, table: str, columns: Any) -> Any:
        read.append(table)
        return read_table(file, table, columns)

    monkeypatch.setattr(parts, "read_table", counting)
    with run(tmp_path) as writer:
        begin(writer, "exp-000")
        seen = follower(tmp_path)
        for _ in range(5):
            seen.ask()
        assert sorted(read) == ["epochs", "trials"]
        epoch(writer, "exp-000", 1, 0.5)
        for _ in range(5):
            seen.ask()
    assert sorted(read) == ["epochs", "epochs", "trials", "trials"]


def test_what_the_list_of_experiments_has_read_is_not_lost_to_the_page(tmp_path: Path):
    with run(tmp_path) as writer:
        begin(writer, "exp-000")
        store = LiveStore(tmp_path)
        experiment = store.experiment("neck", "exp")
        assert experiment is not None
        seen = Follower(experiment)
        seen.ask()
        writer.update_trial("exp-000", status="failed", error="out of memory", ended_at=None)
        writer.flush()
        assert store.index("") is not None
        assert seen.ask() == ["exp-000"]
        assert seen.trials["exp-000"]["error"] == "out of memory"


def test_a_run_that_is_killed_and_resumed_is_followed(tmp_path: Path):
    with run(tmp_path) as writer:
        begin(writer, "exp-000")
        epoch(writer, "exp-000", 1, 0.3)
        epoch(writer, "exp-000", 2, 0.4)
        seen = follower(tmp_path)
        seen.ask()
    assert seen.ask() == ["exp-000"]  # nobody holds its lock any more
    assert seen.trials["exp-000"]["status"] == "waiting"
    with run(tmp_path) as writer:
        epoch(writer, "exp-000", 2, 0.45, status="running")  # the epoch that the kill hit is run again
        assert seen.ask() == ["exp-000"]
        assert seen.trials["exp-000"]["status"] == "running"
        assert seen.curve("exp-000") == [[1, 0.3], [2, 0.45]]


def test_an_experiment_that_is_removed_and_made_anew_loses_its_old_trials(tmp_path: Path):
    with run(tmp_path) as writer:
        begin(writer, "exp-000")
        begin(writer, "exp-001")
        seen = follower(tmp_path)
        seen.ask()
    shutil.rmtree(tmp_path)
    assert seen.experiment.changes(seen.version) == {}
    with run(tmp_path) as writer:
        begin(writer, "exp-001")
        seen.ask()
    assert list(seen.trials) == ["exp-001"]


def test_a_damaged_file_is_said_and_left_once_it_is_whole_again(tmp_path: Path):
    with run(tmp_path) as writer:
        begin(writer, "exp-000")
        epoch(writer, "exp-000", 1, 0.3)
        seen = follower(tmp_path)
        seen.ask()
        (file,) = tmp_path.glob("results/epochs/*/*/*.parquet")
        file.write_bytes(file.read_bytes()[:100])
        with pytest.raises(StoreError, match="is damaged"):
            seen.ask()
        assert seen.curve("exp-000") == [[1, 0.3]]
        epoch(writer, "exp-000", 2, 0.4)
        assert seen.ask() == ["exp-000"]
        assert seen.curve("exp-000") == [[1, 0.3], [2, 0.4]]


def test_files_of_other_versions_and_gaps_are_followed(tmp_path: Path):
    write_trials(tmp_path, "neck", "exp", trials=2, predictions=False)
    for table, gone in (("trials", ["config/epochs", "metric", "images", "gpu_seconds"]), ("epochs", ["images"])):
        (file,) = tmp_path.glob(f"results/{table}/*/*/*.parquet")
        frame = pd.read_parquet(file, partitioning=None).drop(columns=gone, errors="ignore")
        frame.loc[0, METRIC] = float("inf")
        frame.to_parquet(file)
    seen = follower(tmp_path)
    assert seen.ask() == ["exp-000", "exp-001"]
    assert seen.trials["exp-000"]["score"] is None
    assert seen.trials["exp-000"]["of"] is None
    assert seen.curve("exp-000")[0] == [1, None]


def test_an_experiment_in_a_bucket_is_followed(bucket: Bucket):
    with run(bucket.path) as writer:
        begin(writer, "exp-000")
        store = LiveStore(bucket.path)
        experiment = store.experiment("neck", "exp")
        assert experiment is not None
        seen = Follower(experiment)
        assert seen.ask() == ["exp-000"]
        assert seen.ask() == []
        epoch(writer, "exp-000", 1, 0.5)
        assert seen.ask() == ["exp-000"]
        assert seen.curve("exp-000") == [[1, 0.5]]
    assert seen.trials["exp-000"]["status"] == "running"
    seen.ask()
    assert seen.trials["exp-000"]["status"] == "waiting"
    assert store.experiment("neck", "other") is None


def test_many_experiments_are_listed_the_last_written_first_and_trouble_of_one_is_its_own(tmp_path: Path):
    for name in ("one", "two", "three"):
        with run(tmp_path, name) as writer:
            begin(writer, f"{name}-000")
    store = LiveStore(tmp_path)
    found = store.index("")
    assert found is not None
    assert [each["name"] for each in found["experiments"]] == ["three", "two", "one"]
    assert store.index(found["version"]) is None
    (file,) = tmp_path.glob("results/trials/*/experiment=two/*.parquet")
    file.write_bytes(b"PAR1")
    troubled = store.index(found["version"])
    assert troubled is not None
    assert {each["name"]: bool(each["problem"]) for each in troubled["experiments"]} == {
        "one": False,
        "two": True,
        "three": False,
    }
    shutil.rmtree(file.parent)
    left = store.index(troubled["version"])
    assert left is not None
    assert [each["name"] for each in left["experiments"]] == ["three", "one"]


def test_a_storage_without_results_is_refused_and_not_made(tmp_path: Path):
    with pytest.raises(StoreError, match=r"no results below .*; give the --storage of a run"):
        LiveStore(tmp_path / "none")
    assert not (tmp_path / "none").exists()
