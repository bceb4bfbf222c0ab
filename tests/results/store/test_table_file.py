"""A store is copied, merged and handed on: each file of it is checked, and leads nowhere else."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skin_tune.errors import SkinTuneError, StoreError
from skin_tune.results import load_epochs, load_predictions, load_trials
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.local import local

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """Two experiments of a trial each."""
    for experiment in ("one", "two"):
        writer = ExperimentWriter(tmp_path / "runs", "lip_dryness", experiment)
        config = {"config/learning_rate": 0.1, "config/backbone": "resnet18", "config/epochs": 1}
        trial = f"{experiment}-000"
        writer.update_trial(trial, status="completed", started_at=now(), seed=0, pack_id="p", epochs=1, **config)
        writer.add_epoch(trial, {"epoch": 1, "val_balanced_acc": 0.5})
        writer.record_best(trial, {"epoch": 1, "val_balanced_acc": 0.5}, "/elsewhere/best.pt")
        writer.flush()
        writer.close()
        write_predictions(
            tmp_path / "runs",
            "lip_dryness",
            experiment,
            trial,
            "val",
            sources=["a", "b"],
            subjects=["s", "t"],
            labels=np.array([0, 1]),
            probabilities=np.array([[0.7, 0.3], [0.4, 0.6]], np.float32),
        )
    return tmp_path / "runs"


def file_of(storage: Path, table: str, experiment: str = "two") -> Path:
    (file,) = (storage / "results" / table / "region=lip_dryness" / f"experiment={experiment}").iterdir()
    return file


def rewrite(file: Path, change: Change) -> None:
    table = change(pq.ParquetFile(file).read())
    pq.write_table(table, file)


def put(column: str, values: Any) -> Change:
    """Replace a column, or add one."""

    def change(table: pa.Table) -> pa.Table:
        found = pa.array(values)
        if column in table.column_names:
            return table.set_column(table.column_names.index(column), column, found)
        return table.append_column(column, found)

    return change


LOAD = {"trials": load_trials, "epochs": load_epochs, "predictions": load_predictions}


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("trials", put("trial_id", [5]), "column 'trial_id' is numbers, not text"),
        ("trials", put("trial_id", pa.array([None], pa.string())), "column trial_id lacks 1 of its 1 values"),
        ("trials", put("status", [True]), "column 'status' is true or false, not text"),
        ("trials", put("val_balanced_acc", ["good"]), "column 'val_balanced_acc' is text, not numbers"),
        ("trials", put("val_recall_mild", ["good"]), "column 'val_recall_mild' is text, not numbers"),
        ("trials", put("best_epoch", [1.5]), "column best_epoch holds what is no int64"),
        ("trials", put("started_at", ["now"]), "column 'started_at' is text, not times"),
        ("trials", put("config/backbone", [["resnet18"]]), "column 'config/backbone' is lists, not text"),
        ("trials", lambda table: table.drop_columns(["status"]), "it has no column status"),
        ("trials", put("classes", ["[1, 2]"]), "column classes holds '[1, 2]', not a JSON list of names"),
        ("trials", put("classes", ["[" * 10**5]), "not a JSON list of names"),
        ("trials", put("ordinal", ["yes"]), "column 'ordinal' is text, not true or false"),
        ("epochs", put("epoch", ["first"]), "column 'epoch' is text, not numbers"),
        ("epochs", lambda table: table.drop_columns(["trial_id"]), "it has no column trial_id"),
        ("predictions", put("label", pa.array([-1, 0], pa.int16())), "column label holds -1 to 0"),
        ("predictions", put("predicted", pa.array([0, 9999], pa.int16())), "column predicted holds 0 to 9999"),
        ("predictions", put("label", pa.array([None, 0], pa.int16())), "column label lacks 1 of its 2"),
        ("predictions", put("probabilities", [[0.5, 0.5], [1.0]]), "has gaps, or rows of different lengths"),
        ("predictions", put("probabilities", [0.5, 0.5]), "column 'probabilities' is numbers, not lists"),
    ],
)
def test_a_file_with_other_columns_is_named(storage: Path, table: str, change: Change, said: str):
    file = file_of(storage, table)
    rewrite(file, change)
    with pytest.raises(StoreError) as caught:
        LOAD[table](storage)
    assert said in str(caught.value)
    assert repr(str(file)) in str(caught.value)
    assert len(LOAD[table](storage, experiment="one"))


@pytest.mark.parametrize("table", ["trials", "epochs", "predictions"])
@pytest.mark.parametrize("content", [b"", b"hello", b"PAR1", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_file_that_is_no_table_is_named(storage: Path, table: str, content: bytes):
    file = file_of(storage, table)
    file.write_bytes(content)
    with pytest.raises(StoreError, match="is not a Parquet file, or is damaged") as caught:
        LOAD[table](storage)
    assert repr(str(file)) in str(caught.value)
    if table == "trials":
        for command in ("trials", "compare", "report"):
            assert_one_line_error(skin_tune_here(command, "--storage", storage), file.name, "is not a Parquet file")


def test_a_column_that_is_of_another_kind_in_the_next_file_is_named(storage: Path):
    rewrite(file_of(storage, "trials"), put("config/learning_rate", ["fast"]))
    with pytest.raises(StoreError, match=r"column 'config/learning_rate' is text in .*experiment=two.* and numbers in"):
        load_trials(storage)
    assert load_trials(storage, experiment="two")["config/learning_rate"].tolist() == ["fast"]


def test_what_pandas_or_an_older_version_wrote_is_read(storage: Path):
    file = file_of(storage, "trials")
    frame = pd.read_parquet(file, partitioning=None).drop(columns=["split_seed", "hardware"])
    frame["started_at"] = frame["started_at"].astype("datetime64[ns, UTC]")
    frame["epochs"] = frame["epochs"].astype(float)
    frame["remark"] = "by hand"
    frame.to_parquet(file)
    trials = load_trials(storage)
    assert trials["epochs"].tolist() == [1, 1]
    assert str(trials["started_at"].dtype) == "datetime64[us, UTC]"
    assert trials["remark"].tolist()[1] == "by hand"


def test_the_folders_say_what_an_experiment_is_called(storage: Path):
    rewrite(file_of(storage, "trials"), put("experiment", ["../../x"]))
    rewrite(file_of(storage, "trials"), put("region", ["../../x"]))
    assert load_trials(storage)["experiment"].tolist() == ["one", "two"]
    assert set(load_trials(storage)["region"]) == {"lip_dryness"}


@pytest.mark.parametrize("name", ["../../../x", "/tmp/x", "..", "", "a\x1b[31m", "a/b", "n" * 300])
def test_no_name_of_a_store_leads_out_of_it(storage: Path, name: str):
    paths = RunPaths(storage)
    for path in (
        lambda: paths.checkpoints("lip_dryness", "one", name),
        lambda: paths.refit("lip_dryness", "one", name),
        lambda: paths.wandb_state("lip_dryness", "one", name),
        lambda: paths.predictions("lip_dryness", "one", name, "val"),
        lambda: paths.partition("trials", "lip_dryness", name),
        lambda: paths.partition("trials", name, "one"),
        lambda: paths.experiment("lip_dryness", name),
        lambda: paths.experiment(name, "one"),
    ):
        with pytest.raises(StoreError, match="cannot be the name of a region, experiment or trial"):
            path()
    rewrite(file_of(storage, "trials"), put("trial_id", [name]))
    pack = storage / "no.arrow"
    for command in (("refit", "two", "--pack", pack), ("confirm", "two", "--pack", pack)):
        assert_one_line_error(skin_tune_here(*command, "--storage", storage))
    assert skin_tune_here("trials", "--storage", storage).returncode == 0


@pytest.mark.timeout(60)
def test_pipes_in_a_store_hang_nothing(storage: Path):
    file = file_of(storage, "trials")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(StoreError, match="is not a regular file"):
        load_trials(storage)
    with pytest.raises(StoreError, match="is not a regular file"):
        ExperimentWriter(storage, "lip_dryness", "two")
    lock = RunPaths(storage).lock("lip_dryness", "one")
    lock.unlink()
    os.mkfifo(local(lock))
    with pytest.raises(StoreError, match="is not a regular file"):
        ExperimentWriter(storage, "lip_dryness", "one")


values = st.sampled_from(
    [
        pa.array([None]),
        pa.array([1.5]),
        pa.array([2**62]),
        pa.array([float("nan")]),
        pa.array(["x"]),
        pa.array(["\x1b[31m"]),
        pa.array([b"\xff"]),
        pa.array([True]),
        pa.array([[1.0]]),
        pa.array([{"a": 1}]),
        pa.array([None], pa.string()),
        pa.array(["x"]).dictionary_encode(),
    ]
)
columns = st.sampled_from(
    ["trial_id", "status", "epochs", "val_balanced_acc", "config/epochs", "region", "started_at", "seed", "new"]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.dictionaries(columns, values, min_size=1, max_size=3))
def test_nothing_but_a_skin_tune_error_leaves_a_store(storage: Path, changed: dict[str, pa.Array]):
    file = file_of(storage, "trials")
    whole = file.read_bytes()
    try:
        for name, value in changed.items():
            rewrite(file, put(name, value))
        with suppress(SkinTuneError):
            load_trials(storage)
    finally:
        done = skin_tune_here("trials", "--storage", storage)
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout
        file.write_bytes(whole)
