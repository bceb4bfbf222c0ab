from pathlib import Path

import duckdb
import numpy as np

from skin_tune.results import load_predictions
from skin_tune.results.predictions import write_predictions

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
