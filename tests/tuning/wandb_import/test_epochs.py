"""Rows of a history as epochs, whatever a loop logs at a time."""

import math
from typing import Any

import pytest

from skin_tune.errors import ConfigError
from skin_tune.tuning.wandb_import.epochs import epochs_of
from skin_tune.tuning.wandb_import.renames import parse_renames

Rows = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("history", "epochs"),
    [
        ([{"val_loss": 3.0}, {"val_loss": 2.0}], [(1, None, 3.0), (2, None, 2.0)]),
        ([{"train_loss": 5.0}, {"train_loss": 4.0}], [(1, 5.0, None), (2, 4.0, None)]),
        ([{"train_loss": 5.0}, {"train_loss": 4.0}, {"val_loss": 3.0}], [(1, 4.0, 3.0)]),
        ([{"epoch": 0, "val_loss": 3.0}, {"epoch": 1, "val_loss": 2.0}], [(1, None, 3.0), (2, None, 2.0)]),
        ([{"train_loss": 5.0}, {"epoch": 4, "val_loss": 3.0}], [(4, 5.0, 3.0)]),
        ([{"epoch": 1, "train_loss": 5.0}, {"val_loss": 3.0}, {"epoch": 2}], [(1, 5.0, 3.0), (2, None, None)]),
        ([{"epoch": 0.5, "train_loss": 5.0}, {"epoch": 1.0, "val_loss": 3.0}], [(1, 5.0, 3.0)]),
        ([{"epoch": 1, "val_loss": 3.0}, {"epoch": 1, "val_loss": 2.0}], [(1, None, 2.0)]),
        (
            [{"epoch": 1, "val_loss": math.inf}, {"epoch": 2, "val_loss": math.nan}],
            [(1, None, math.inf), (2, None, None)],
        ),
        ([{"epoch": math.nan, "val_loss": 3.0}, {"epoch": "2"}, {"epoch": 1e300}, {"epoch": True}], [(1, None, 3.0)]),
        ([{"lr": 1.0}, {}], []),
        ([], []),
    ],
    ids=[
        "a row each",
        "without validation",
        "steps before a validation",
        "from nought",
        "steps before the epoch is told",
        "validation after the epoch is told",
        "fractions",
        "again, as after a resume",
        "not finite",
        "epochs that are none",
        "nothing of ours",
        "nothing",
    ],
)
def test_rows_are_gathered_by_their_epoch(history: Rows, epochs: list[tuple[int, float | None, float | None]]):
    found = epochs_of(history, {}).rows
    assert [(row["epoch"], row.get("train_loss"), row.get("val_loss")) for row in found] == epochs


def test_names_of_others_are_mapped_and_what_is_left_over_is_named():
    renames = parse_renames(["val/bal=acc=val_balanced_acc", "val.auc=val_auc", "lr=learning_rate"])
    row = {"val/bal=acc": 0.5, "val.auc": 0.75, "lr": 0.1, "val_balanced_acc": 9, "grad": 1.0, "note": "x", "_step": 0}
    rows, unused = epochs_of([{**row, "val_recall_mild": 0.25, "images": 0.5}], renames)
    columns = {"val_balanced_acc": 0.5, "val_auc": 0.75, "learning_rate": 0.1, "val_recall_mild": 0.25}
    assert rows == [{"epoch": 1, **columns}], "a part of an image is none"
    assert unused == {"grad"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["val_acc"], "--rename 'val_acc' is not THEIRS=OURS, such as val/bal_acc=val_balanced_acc"),
        (["acc="], "--rename 'acc=' is not THEIRS=OURS"),
        (["acc=val_balanced_ac c"], "'val_balanced_ac c' is neither .*; did you mean 'val_balanced_acc'?"),
        (["acc=score"], "'score' is neither a metric nor a hyper-parameter"),
        (["a=val_acc", "b=val_acc"], "'b' or 'val_acc' is given twice"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(words: list[str], said: str):
    with pytest.raises(ConfigError, match=said):
        parse_renames(words)
