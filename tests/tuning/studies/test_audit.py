"""Photos whose grades out-of-fold models contradict, from predictions in a store."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from skin_tune.data.pack.format import Pack
from skin_tune.errors import StoreError
from skin_tune.results.store.predictions import write_predictions
from skin_tune.tuning.studies.audit import run_audit, write_pictures
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import trial_row, write_experiment

MOVED = (2, 30)
"""Places, among the images of train and validation, whose grades the models contradict."""


@pytest.fixture
def pack(make_pack: PackMaker, tmp_path: Path) -> Pack:
    """Two runs of three folds: sure of the given grade, but for the MOVED images, whose next grade they say."""
    pack, storage = make_pack(), tmp_path / "runs"
    write_experiment(storage, pack, {"exp-000": trial_row(pack, 0.5)})
    rows = np.concatenate([pack.indices("train"), pack.indices("val")])
    labels, classes = pack.labels[rows].astype(np.int64), len(pack.classes)
    said = labels.copy()
    said[list(MOVED)] = (said[list(MOVED)] + 1) % classes
    runs = {}
    for seed, sureness in ((1, 0.8), (2, 0.9)):
        probabilities = np.full((len(rows), classes), (1 - sureness) / (classes - 1), np.float32)
        probabilities[np.arange(len(rows)), said] = sureness
        for fold in range(3):
            run, part = f"exp-000-seed{seed}-fold{fold}", np.arange(len(rows)) % 3 == fold
            runs[run] = {**trial_row(pack, 0.5, seed=seed), "classes": json.dumps(pack.classes), "ordinal": True}
            columns = {"sources": pack.sources[rows][part].tolist(), "subjects": pack.subjects[rows][part].tolist()}
            write_predictions(
                storage, pack.info.region, "exp-confirm-folds3", run, "oof",
                labels=labels[part], probabilities=probabilities[part], **columns,
            )  # fmt: skip
    write_experiment(storage, pack, runs, name="exp-confirm-folds3")
    return pack


def test_what_is_contradicted_comes_first(pack: Pack, tmp_path: Path):
    found = run_audit(tmp_path / "runs", "exp").rows
    rows = np.concatenate([pack.indices("train"), pack.indices("val")])
    assert sorted(found["source"]) == sorted(pack.sources[rows])
    first = found.iloc[:2]
    assert set(first["source"]) == set(pack.sources[rows][list(MOVED)])
    assert found["contradicted"].tolist() == [True] * 2 + [False] * (len(found) - 2)
    given = {str(pack.sources[row]): int(pack.labels[row]) for row in rows}
    for row in first.to_dict("records"):
        assert row["grade"] == pack.classes[given[row["source"]]]
        assert row["models_grade"] == pack.classes[(given[row["source"]] + 1) % len(pack.classes)]
    assert first["certainty"].between(0.7, 0.95).all()
    assert (found["runs"] == 2).all()
    assert found["grade_probability"].is_monotonic_increasing


def test_the_page_holds_the_crops_and_nothing_from_elsewhere(pack: Pack, tmp_path: Path):
    audit = run_audit(tmp_path / "runs", "exp")
    assert write_pictures(audit, tmp_path / "doubtful.html") == 2
    page = (tmp_path / "doubtful.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert all(source in page for source in audit.rows["source"][:2])
    assert write_pictures(audit, tmp_path / "one.html", limit=1) == 1


def test_without_models_that_did_not_see_the_photos_it_says_how_to_get_them(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack()
    write_experiment(tmp_path / "runs", pack, {"exp-000": trial_row(pack, 0.5)})
    with pytest.raises(StoreError, match="skin-tune confirm exp --folds 5 makes them"):
        run_audit(tmp_path / "runs", "exp")


def test_the_command_lists_and_writes(pack: Pack, tmp_path: Path):
    common = ("audit", "exp", "--storage", tmp_path / "runs")
    table = skin_tune_here(*common, "--pictures", tmp_path / "page.html")
    assert table.returncode == 0, table.stderr
    assert "2 of 60 photos contradicted, of 2 subjects" in table.stdout
    assert max(map(len, table.stdout.splitlines()[:3])) <= 80
    assert f"{tmp_path}/page.html: 2 photos" in table.stderr
    rows = list(csv.DictReader(io.StringIO(skin_tune_here(*common, "--format", "csv").stdout)))
    assert len(rows) == 60
    assert [row["contradicted"] for row in rows[:3]] == ["True", "True", "False"]
    assert len(json.loads(skin_tune_here(*common, "--format", "json", "--limit", "3").stdout)) == 3
    assert_one_line_error(skin_tune_here("audit", "other", "--storage", tmp_path / "runs"), "'other'")
