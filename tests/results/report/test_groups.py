"""The part of the report that says for whom the champion works."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skin_tune.results.report.section import sections
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from tests.results.report.report_reader import report_of, specs_of, text_of

EVIL = "<b>§ink</b>"


def write(storage: Path, about: dict[str, Any]) -> None:
    """A trial of 100 people: the first 40 are always graded right, the next 40 half of the time, the last 20 never."""
    label = np.arange(100) % 2
    right = np.r_[np.ones(40, bool), np.arange(40) % 4 < 2, np.zeros(20, bool)]
    predicted = np.where(right, label, 1 - label)
    writer = ExperimentWriter(storage, "lip_dryness", "exp")
    writer.update_trial("exp-000", status="completed", pack_id="p", started_at=now(), epochs=1, best_epoch=1)
    writer.update_trial("exp-000", val_balanced_acc=0.6, val_macro_f1=0.6, **class_columns(["0", "1"], ordinal=True))
    write_predictions(
        storage,
        "lip_dryness",
        "exp",
        "exp-000",
        "val",
        sources=[f"{row}.jpg" for row in range(100)],
        subjects=[f"s{row}" for row in range(100)],
        labels=label,
        probabilities=np.eye(2, dtype=np.float32)[predicted],
        about=about,
    )
    writer.flush()
    writer.close()


GENDER = ["F"] * 40 + ["M"] * 40 + [EVIL] * 20


def test_the_worst_group_and_the_gap_are_said_without_those_that_are_too_small(tmp_path: Path):
    write(tmp_path, {"gender": GENDER})
    text = text_of(report_of(tmp_path))
    assert "For whom does it work?" in text
    assert "Gender: worst is M, best is F; the gap is 0.500 (95%" in text
    assert "fewer than 30 subjects" in text


def test_every_group_is_a_dot_with_its_interval_on_one_scale(tmp_path: Path):
    write(tmp_path, {"gender": GENDER, "age": [25.0] * 50 + [61.0] * 50})
    spec = specs_of(report_of(tmp_path))["figure-0-groups"]
    (dots,) = spec["data"]
    attributes, names = dots["y"]
    assert attributes == ["§age"] * 2 + ["§gender"] * 3
    assert names == ["20-29", "60+", "&lt;b&gt;&#167;ink&lt;/b&gt;", "F", "M"]
    assert dots["x"][2:] == [0, 1, 0.5]
    assert dots["marker"]["symbol"] == ["circle", "circle", "circle-open", "circle", "circle"]
    (section,) = sections(tmp_path)
    assert section.validation is not None
    male = section.validation.groups["gender"].groups[2].scores["balanced_acc"]
    assert male.value - dots["error_x"]["arrayminus"][4] == pytest.approx(male.low, abs=1e-3)
    assert male.value + dots["error_x"]["array"][4] == pytest.approx(male.high, abs=1e-3)
    assert spec["layout"]["shapes"][0]["x0"] == spec["layout"]["shapes"][0]["x1"] == 0.6


def test_images_of_unknown_people_are_called_so(tmp_path: Path):
    write(tmp_path, {"gender": ["F"] * 40 + [None] * 60})
    page = report_of(tmp_path)
    assert "Gender: no two groups are large enough to compare." in text_of(page)
    assert specs_of(page)["figure-0-groups"]["data"][0]["y"][1] == ["F", "§unknown"]


def test_a_store_that_knows_nothing_of_people_has_no_figure(tmp_path: Path):
    write(tmp_path, {})
    page = report_of(tmp_path)
    assert "figure-0-groups" not in specs_of(page)
    assert "The store does not know whom these images show" in text_of(page)
