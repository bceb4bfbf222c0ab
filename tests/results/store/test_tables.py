import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from skin_tune.errors import StoreError
from skin_tune.results import load_epochs, load_trials
from skin_tune.results.store.ranking import rank_trials, varied
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter


def metrics(epoch: int, balanced: float, **more: float) -> dict[str, float]:
    return {"epoch": epoch, "train_loss": 1.0, "val_balanced_acc": balanced, "val_recall_0": 0.5, **more}


def write_experiment(storage: Path, region: str, experiment: str, scores: list[float], **more: float) -> None:
    writer = ExperimentWriter(storage, region, experiment)
    for number, score in enumerate(scores):
        trial = f"{experiment}-{number}"
        config = {"config/learning_rate": 0.1 * (number + 1), "config/backbone": "resnet18", "config/epochs": 2}
        writer.update_trial(trial, status="running", started_at=now(), seed=0, pack_id="p", **config)
        writer.add_epoch(trial, metrics(1, score / 2, **more))
        writer.add_epoch(trial, metrics(2, score, **more))
        writer.update_trial(trial, status="completed", epochs=2, best_epoch=2, val_balanced_acc=score, ended_at=now())
    writer.flush()


def test_what_was_written_is_read_back(tmp_path: Path):
    write_experiment(tmp_path, "lip_dryness", "one", [0.3, 0.6])
    trials = load_trials(tmp_path)
    assert trials["trial_id"].tolist() == ["one-0", "one-1"]
    assert set(trials["region"]) == {"lip_dryness"}
    assert trials["val_balanced_acc"].tolist() == [0.3, 0.6]
    assert trials["config/learning_rate"].tolist() == pytest.approx([0.1, 0.2])
    assert trials["error"].isna().all()
    assert str(trials["started_at"].dtype).endswith("UTC]")
    epochs = load_epochs(tmp_path, region="lip_dryness", experiment="one")
    assert epochs.groupby("trial_id")["epoch"].apply(list).tolist() == [[1, 2], [1, 2]]


def test_an_epoch_reported_again_replaces_the_first(tmp_path: Path):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    writer.update_trial("t", status="running")
    writer.add_epoch("t", metrics(1, 0.2))
    writer.flush()
    writer.add_epoch("t", metrics(1, 0.4))
    writer.flush()
    assert load_epochs(tmp_path)["val_balanced_acc"].tolist() == [0.4]


def test_a_trial_has_drawn_the_images_of_its_epochs(tmp_path: Path):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    for trial in ("old", "new"):
        writer.update_trial(trial, status="running")
        writer.add_epoch(trial, metrics(1, 0.2))  # of a version that did not count them
    for epoch in (2, 3, 3):  # the last is reported again after a restart
        writer.add_epoch("new", metrics(epoch, 0.4, images=100 * epoch))
    writer.flush()
    trials = load_trials(tmp_path).set_index("trial_id")
    assert trials["images"]["new"] == 500
    assert pd.isna(trials["images"]["old"])
    assert load_epochs(tmp_path).query("trial_id == 'new'")["images"].tolist()[1:] == [200, 300]


def test_a_row_that_was_read_stays_as_it_was(tmp_path: Path):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    writer.update_trial("t", status="running")
    read = [*writer.trials(), writer.trial("t")]  # as the thread of the live line does at any moment
    writer.update_trial("t", status="completed", epochs=1)
    assert read == [{"trial_id": "t", "status": "running"}] * 2
    assert writer.trials() == [{"trial_id": "t", "status": "completed", "epochs": 1}]


def test_a_later_writer_goes_on_where_the_first_stopped(tmp_path: Path):
    write_experiment(tmp_path, "lip_dryness", "one", [0.3])
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    writer.add_epoch("one-0", metrics(3, 0.9))
    writer.update_trial("one-0", epochs=3)
    writer.flush()
    assert load_trials(tmp_path)[["epochs", "best_epoch"]].to_numpy().tolist() == [[3, 2]]
    assert load_epochs(tmp_path)["epoch"].tolist() == [1, 2, 3]


def test_undefined_metrics_are_null_not_nan(tmp_path: Path):
    write_experiment(tmp_path, "lip_dryness", "one", [0.3], val_qwk=float("nan"))
    query = f"select count(*) from read_parquet('{tmp_path}/results/epochs/**/*.parquet') where val_qwk is null"
    assert duckdb.sql(query).fetchall() == [(2,)]


def test_pandas_and_duckdb_read_the_folders_as_they_are(tmp_path: Path):
    write_experiment(tmp_path, "lip_dryness", "one", [0.3, 0.6])
    write_experiment(tmp_path, "forehead_wrinkle", "two", [0.5], val_recall_6=0.1)
    frame = pd.read_parquet(tmp_path / "results" / "trials")
    assert sorted(frame["experiment"].astype(str)) == ["one", "one", "two"]
    best = duckdb.sql(
        f"select region, max(val_balanced_acc) from read_parquet('{tmp_path}/results/trials/**/*.parquet', "
        "hive_partitioning = true) group by region order by region"
    ).fetchall()
    assert best == [("forehead_wrinkle", 0.5), ("lip_dryness", 0.6)]


def test_there_is_one_file_per_experiment_and_table(tmp_path: Path):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    for epoch in range(1, 6):
        writer.update_trial("t", status="running")
        writer.add_epoch("t", metrics(epoch, 0.1))
        writer.flush()
    assert sum(path.is_file() for path in (tmp_path / "results").rglob("*")) == 2


def test_a_write_is_due_where_there_is_something_new_and_the_last_was_not_just_now(tmp_path: Path):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    assert not writer.due()
    writer.update_trial("a", status="running")
    assert writer.due()
    writer.flush()
    writer.update_trial("b", status="running")
    assert not writer.due()
    writer.flush()
    assert load_trials(tmp_path)["trial_id"].tolist() == ["a", "b"]


def test_a_writer_killed_between_its_tables_leaves_no_ended_trial_without_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    writer.update_trial("a", status="running")
    writer.flush()
    writer.add_epoch("a", metrics(1, 0.5))
    writer.update_trial("a", status="completed", epochs=1)
    writer.update_trial("b", status="running")
    writer.add_epoch("b", metrics(1, 0.5))
    written: list[object] = []

    def killed_after_one(table: object, path: Path, **options: object) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        write(table, path, **options)

    write = pq.write_table
    monkeypatch.setattr(pq, "write_table", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        writer.flush()
    writer.close()
    assert load_trials(tmp_path)["status"].tolist() == ["running"]
    assert [row["trial_id"] for row in ExperimentWriter(tmp_path, "lip_dryness", "one").epochs()] == ["a"]


def test_a_reader_beside_a_writer_that_is_killed_never_sees_half_a_file(tmp_path: Path):
    script = """
import sys
from pathlib import Path
from skin_tune.results.store.writer import ExperimentWriter
writer = ExperimentWriter(Path(sys.argv[1]), "lip_dryness", "one")
print("ready", flush=True)
for epoch in range(1, 10**6):
    writer.update_trial("t", status="running", epochs=epoch)
    writer.add_epoch("t", {"epoch": epoch, "val_balanced_acc": 0.5})
    writer.flush()
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    seen = 0
    until = time.monotonic() + 2
    try:
        while time.monotonic() < until:
            if (tmp_path / "results").is_dir():
                seen = max(seen, len(load_epochs(tmp_path)))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert seen > 3
    epochs = load_epochs(tmp_path)["epoch"].tolist()
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) >= seen


def test_a_folder_without_results_is_an_error(tmp_path: Path):
    with pytest.raises(StoreError, match="no results below"):
        load_trials(tmp_path)


def test_a_filter_that_matches_nothing_gives_an_empty_frame_with_columns(tmp_path: Path):
    write_experiment(tmp_path, "lip_dryness", "one", [0.3])
    assert load_trials(tmp_path, region="chin_sagging").empty
    assert "val_balanced_acc" in load_trials(tmp_path, region="chin_sagging")


def test_ranking_puts_the_best_first_and_failures_last(tmp_path: Path):
    write_experiment(tmp_path, "lip_dryness", "one", [0.3, 0.6, 0.9])
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    writer.update_trial("one-2", status="diverged", error="nan")
    writer.update_trial("one-3", status="failed")
    writer.flush()
    ranked = rank_trials(tmp_path)
    assert ranked["trial_id"].tolist() == ["one-1", "one-0", "one-2", "one-3"]
    assert rank_trials(tmp_path, limit=1)["trial_id"].tolist() == ["one-1"]
    assert varied(ranked[:2]) == ["config/learning_rate"]
    assert json.loads(ranked.to_json(orient="records", date_format="iso"))[0]["val_balanced_acc"] == 0.6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sort": "accuracy"}, "--sort 'accuracy' is not a metric"),
        ({"experiment": "nine"}, "no trial of experiment 'nine'.*holds lip_dryness/one"),
        ({"limit": 0}, "--limit 0 is below 1"),
    ],
)
def test_a_ranking_that_cannot_be_made_says_why(tmp_path: Path, options: dict[str, object], said: str):
    write_experiment(tmp_path, "lip_dryness", "one", [0.3])
    with pytest.raises(StoreError, match=said):
        rank_trials(tmp_path, **options)  # type: ignore[arg-type]


def test_a_metric_without_a_value_in_one_file_and_with_some_in_the_next_is_read_as_numbers(tmp_path: Path):
    write_experiment(tmp_path, "region_a", "one", [0.3], val_recall_vasc=float("nan"))
    write_experiment(tmp_path, "region_b", "two", [0.5], val_recall_vasc=0.25)
    for experiment, region, recall in (("one", "region_a", None), ("two", "region_b", 0.25)):
        writer = ExperimentWriter(tmp_path, region, experiment)
        writer.update_trial(f"{experiment}-0", val_recall_vasc=recall)
        writer.flush()
        writer.close()
    for table in ("epochs", "trials"):
        files = f"{tmp_path}/results/{table}/**/*.parquet"
        rows = duckdb.sql(f"select * from read_parquet('{files}')").df()
        assert rows["val_recall_vasc"].dropna().unique().tolist() == [0.25]
        frame = pd.read_parquet(tmp_path / "results" / table)
        assert frame["val_recall_vasc"].dtype == "float64"
        assert frame["val_recall_vasc"].isna().sum() == len(frame) / 2
