"""A model can be chosen by the group of people that it grades worst."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from skin_tune.config import TrialConfig
from skin_tune.errors import ConfigError
from skin_tune.storage.photo_columns import FEWEST_SUBJECTS
from skin_tune.training.trainer import Trainer
from skin_tune.training.worst_group import check_groups, groups_to_judge, worst_balanced_acc
from tests.conftest import PackMaker

METRIC = "val_worst_gender_balanced_acc_adjusted"
ENOUGH = {"train": (16, 8), "val": (64, 64), "test": (2, 2)}
"""Of two genders that take turns each has 32 people of either class to validate on."""


def people(*groups: tuple[str | None, int, tuple[int, ...]]) -> dict[str, Any]:
    """Columns of images of new people: each group has so many, each with an image of some classes."""
    rows = [
        (gender, label, f"{place}-{number}")
        for place, (gender, count, labels) in enumerate(groups)
        for number in range(count)
        for label in labels
    ]
    values, labels, subjects = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    return {"values": values, "attribute": "gender", "labels": labels.astype(np.int64), "subjects": subjects}


def test_the_worst_group_is_that_of_the_least_balanced_accuracy():
    given = people(("F", 40, (0, 1)), ("M", 30, (0, 1)), ("X", 35, (0, 1)))
    groups = groups_to_judge(**given)
    assert list(groups) == ["F", "M", "X"]
    predicted = np.random.default_rng(0).integers(0, 2, len(given["labels"]))
    found = worst_balanced_acc(groups, given["labels"], predicted, 2)
    own = [given["values"] == name for name in groups]
    assert found == pytest.approx(min(balanced_accuracy_score(given["labels"][of], predicted[of]) for of in own))


@pytest.mark.parametrize(
    "other",
    [("M", FEWEST_SUBJECTS - 1, (0, 1)), ("M", 40, (0,)), (None, 40, (0, 1))],
    ids=["few people", "no image of a class", "not known"],
)
def test_a_group_that_says_too_little_is_not_judged(other: tuple[str | None, int, tuple[int, ...]]):
    assert groups_to_judge(**people(("F", 40, (0, 1)), other)) == {}
    three = groups_to_judge(**people(("F", 40, (0, 1)), other, ("X", 40, (0, 1))))
    assert list(three) == ["F", "X"]


def test_ages_are_judged_in_bands():
    given = people(("F", 80, (0, 1)), ("F", 80, (0, 1)))
    ages = np.where(np.arange(320) < 160, 24.0, 61.0).astype(object)
    assert list(groups_to_judge(ages, "age", given["labels"], given["subjects"])) == ["20-29", "60+"]


def test_the_best_epoch_is_that_of_the_best_worst_group(make_pack: PackMaker):
    pack = make_pack(ENOUGH, size=16, about={"gender": ["F", "M"]})
    config = TrialConfig(
        backbone="resnet18", weights="none", image_size=16, batch_size=8, epochs=3, learning_rate=1e-3, warmup_epochs=0
    )
    trainer = Trainer(config, pack, metric=METRIC)
    history = [trainer.run_epoch() for _ in range(3)]
    assert trainer.best_metrics[METRIC] == max(epoch[METRIC] for epoch in history)
    assert all(epoch[METRIC] <= epoch["val_balanced_acc_adjusted"] + 1e-9 for epoch in history)
    assert not any("worst_device" in name for name in history[0])


def test_a_pack_without_such_groups_is_refused_with_those_it_has(make_pack: PackMaker):
    with pytest.raises(ConfigError, match=r"needs two groups by gender.*F \(9\), M \(9\) \(subjects\)"):
        check_groups(METRIC, make_pack(about={"gender": ["F", "M"]}))
    with pytest.raises(ConfigError, match=r"has not known \(18\) \(subjects\)"):
        check_groups(METRIC, make_pack(name="other"))
    check_groups("val_balanced_acc", make_pack(name="third"))
