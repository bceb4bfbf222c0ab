"""What the store says of classes, told by this version or not by an older one."""

from pathlib import Path

import pandas as pd
import pytest

from skin_tune.errors import StoreError
from skin_tune.results import load_trials
from skin_tune.results.store.classes import are_ordinal, class_columns, class_names
from skin_tune.results.store.ranking import rank_trials
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter


def write(storage: Path, region: str, classes: list[str], ordinal: bool | None, **values: float) -> None:
    writer = ExperimentWriter(storage, region, "one")
    told = {} if ordinal is None else class_columns(classes, ordinal)
    writer.update_trial(region, status="completed", started_at=now(), val_balanced_acc=0.5, **told, **values)
    writer.flush()
    writer.close()


def test_classes_are_those_that_the_store_names_in_their_order(tmp_path: Path):
    write(tmp_path, "neck", ["severe", "mild", "무"], ordinal=False)
    trials = load_trials(tmp_path)
    assert trials["ordinal"].tolist() == [False]
    assert class_names(trials, [3, 0, 1]) == ["severe", "mild", "무"]
    assert not are_ordinal(trials)
    write(tmp_path, "lip_dryness", ["0", "1"], ordinal=True)
    assert are_ordinal(load_trials(tmp_path, region="lip_dryness"))


def test_a_store_that_does_not_say_has_ordinal_classes_named_by_their_recall(tmp_path: Path):
    recalls = {"val_recall_1": 0.1, "val_recall_2": 0.2, "val_recall_1.5": 0.3}
    write(tmp_path, "neck", [], None, **recalls)
    trials = load_trials(tmp_path)
    assert are_ordinal(trials)
    assert are_ordinal(trials.drop(columns=["ordinal", "classes"]))
    assert class_names(trials, [4, 4, 4]) == ["1", "1.5", "2"]
    assert class_names(trials.drop(columns="classes"), [4, 4, 0, 4]) == ["1", "1.5", "2", "2"]
    assert class_names(trials, [4, 4, 4, 4]) == ["0", "1", "2", "3"]


def test_named_classes_keep_the_order_in_which_they_were_written(tmp_path: Path):
    write(tmp_path, "neck", [], None, val_recall_nv=0.1, val_recall_bcc=0.2)
    assert class_names(load_trials(tmp_path), [1, 1]) == ["nv", "bcc"]


def test_nominal_trials_cannot_be_ranked_by_what_needs_an_order(tmp_path: Path):
    write(tmp_path, "neck", ["a", "b"], ordinal=False)
    for metric in ("val_mae", "val_within_one", "val_qwk"):
        with pytest.raises(StoreError, match=rf"^--sort '{metric}' needs .* order, and those of neck are nominal"):
            rank_trials(tmp_path, sort=metric)
    assert len(rank_trials(tmp_path, sort="val_macro_f1")) == 1
    write(tmp_path, "lip_dryness", ["0", "1"], ordinal=True, val_qwk=0.3)
    assert rank_trials(tmp_path, sort="val_qwk")["region"].tolist() == ["lip_dryness", "neck"]


def test_a_store_of_old_and_new_files_is_read_as_one(tmp_path: Path):
    write(tmp_path, "neck", ["a", "b"], ordinal=False)
    write(tmp_path, "lip_dryness", [], None)
    trials = load_trials(tmp_path).set_index("region")
    assert not trials["ordinal"]["neck"]
    assert pd.isna(trials["ordinal"]["lip_dryness"])
