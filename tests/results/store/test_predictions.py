from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from skin_tune.results import load_predictions
from skin_tune.results.store.predictions import write_predictions

ROWS, CLASSES = 2800, 7


def write(storage: Path) -> np.ndarray:
    probabilities = np.random.default_rng(0).dirichlet(np.full(CLASSES, 0.5), ROWS).astype(np.float32)
    write_predictions(
        storage,
        "lip_dryness",
        "one",
        "one-000",
        "val",
        sources=[f"phone/{row // 9:04d}/{row // 9:04d}_01_{row}.jpg" for row in range(ROWS)],
        subjects=[f"{row // 9:04d}" for row in range(ROWS)],
        labels=np.arange(ROWS) % CLASSES,
        probabilities=probabilities,
        about={
            "device": [f"{1 + row % 3:02d}" for row in range(ROWS)],
            "angle": ["F" if row % 2 else "" for row in range(ROWS)],
        },
    )
    return probabilities


def test_predictions_are_read_back_to_a_relative_precision_of_one_in_8192(tmp_path: Path):
    probabilities = write(tmp_path)
    rows = load_predictions(tmp_path)
    np.testing.assert_allclose(np.stack(rows["probabilities"].to_numpy()), probabilities, rtol=2**-13)
    assert rows["predicted"].tolist() == probabilities.argmax(axis=1).tolist()
    assert rows["label"].tolist() == [row % CLASSES for row in range(ROWS)]
    assert rows["subject"][9] == "0001"


def test_they_say_what_took_each_photo_and_from_where_if_that_is_known(tmp_path: Path):
    write(tmp_path)
    rows = load_predictions(tmp_path)
    assert rows["device"][:4].tolist() == ["01", "02", "03", "01"]
    assert rows["angle"].isna().tolist() == [row % 2 == 0 for row in range(ROWS)]
    write_predictions(
        tmp_path,
        "lip_dryness",
        "two",
        "two-000",
        "val",
        sources=["a.jpg"],
        subjects=["a"],
        labels=np.array([1]),
        probabilities=np.array([[0.25, 0.75]], np.float32),
    )
    assert load_predictions(tmp_path, experiment="two")[["device", "angle"]].isna().all(axis=None)


def test_they_take_less_than_32_bytes_an_image(tmp_path: Path):
    write(tmp_path)
    (file,) = tmp_path.rglob("*.parquet")
    assert file.stat().st_size < 32 * ROWS


def test_duckdb_reads_them_as_they_are(tmp_path: Path):
    probabilities = write(tmp_path)
    best = duckdb.sql(
        f"select avg(probabilities[predicted + 1]) from read_parquet('{tmp_path}/results/predictions/**/*.parquet')"
    ).fetchall()
    np.testing.assert_allclose(best[0], probabilities.max(axis=1).mean(), rtol=1e-4)


NEW = ["age", "gender", "skin_type"]


def write_old_and_new(storage: Path) -> None:
    """One file as older versions left it, and one that knows whom its photos show."""
    for trial in ("old", "new"):
        write_predictions(
            storage,
            "lip_dryness",
            trial,
            trial,
            "val",
            sources=["a.jpg", "b.jpg"],
            subjects=["a", "b"],
            labels=np.array([0, 1]),
            probabilities=np.array([[0.25, 0.75], [0.5, 0.5]], np.float32),
            about={"age": [34.5, None], "gender": ["F", ""], "skin_type": ["2", "4"]},
        )
    (file,) = storage.rglob("old-val.parquet")
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns(NEW), file)


def test_what_older_files_do_not_say_of_people_is_null(tmp_path: Path):
    write_old_and_new(tmp_path)
    for columns in (None, ["trial_id", *NEW]):
        old = load_predictions(tmp_path, experiment="old", columns=columns)
        assert set(NEW) <= set(old)
        assert old[NEW].isna().all(axis=None)
        assert old["age"].dtype == "float32"
        both = load_predictions(tmp_path, columns=columns).set_index("trial_id")
        assert both.loc["new", "age"].tolist()[0] == 34.5
        assert both.loc["new", "gender"].tolist()[0] == "F"
        assert both.loc["new", ["age", "gender"]].iloc[1].isna().all()
        assert both.loc["old", NEW].isna().to_numpy().all()


def test_duckdb_and_pandas_read_old_and_new_files_together(tmp_path: Path):
    write_old_and_new(tmp_path)
    files = f"{tmp_path}/results/predictions/**/*.parquet"
    query = f"select trial_id, age, skin_type from read_parquet('{files}', union_by_name = true) order by all"
    assert duckdb.sql(query).fetchall() == [("new", 34.5, "2"), ("new", None, "4"), *[("old", None, None)] * 2]
    schema = pq.read_schema(next(tmp_path.rglob("new-val.parquet")))
    frame = pd.read_parquet(tmp_path / "results" / "predictions", schema=schema).set_index("trial_id")
    assert frame.loc["new", "skin_type"].tolist() == ["2", "4"]
    assert frame.loc["old", NEW].isna().to_numpy().all()
