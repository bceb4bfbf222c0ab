"""The model card says what a reviewer asks, and what it does not know."""

from dataclasses import replace

from skin_tune.results.report.card_facts import CardFacts
from skin_tune.results.report.model_card import model_card

OLD = CardFacts(
    model="exp-000-refit",
    region="lip_dryness",
    experiment="exp",
    trial="exp-000",
    trained_on="train",
    epochs=2,
    best_epoch=1,
    workers=1,
    seconds=3.0,
    gpu_seconds=0.0,
    pack_id="f00d",
    split="split 60/20/20 by subject, seed 0",
    trials=3,
    metric="val_balanced_acc",
    test_openings=1,
    metrics={"test_balanced_acc": 0.75, "test_qwk": None},
    classes=[
        {"class": "0", "train_images": 40, "test_images": 50, "precision": 0.8, "recall": 0.9, "f1": 0.85},
        {"class": "1", "train_images": 4, "test_images": 5, "precision": None, "recall": 0.6, "f1": 0.5},
    ],
    confusion=[[45, 5], [2, 3]],
    config={"backbone": "resnet18", "epochs": 2},
)
"""As a refit of an older version left it."""

GROUP = {"attribute": "gender", "group": "F", "subjects": 40, "images": 80, "too_small": ""}
SCORES = {"balanced_acc": 0.8, "balanced_acc_low": 0.7, "balanced_acc_high": 0.9, "macro_f1": 0.7, "acc": 0.9}
NEW = replace(
    OLD,
    intervals={"test_balanced_acc": [0.6, 0.9], "test_qwk": [None, None]},
    classes=[{**row, "recall_low": 0.5, "recall_high": 1.0} for row in OLD.classes],
    calibration={"error": 0.05, "overconfidence": 0.04, "overconfidence_low": -0.01, "overconfidence_high": 0.09},
    groups=[
        {**GROUP, **SCORES},
        {**GROUP, **SCORES, "group": "a|b", "subjects": 3, "too_small": "fewer than 30 subjects"},
    ],
    gaps=[
        {
            "attribute": "gender",
            "metric": "balanced_acc",
            "worst": "M",
            "best": "F",
            "gap": 0.1,
            "gap_low": 0.02,
            "gap_high": 0.2,
            "p": 0.0001,
        }
    ],
    splits=[
        {"split": name, "subjects": people, "images": 2 * people}
        for name, people in (("train", 60), ("val", 20), ("test", 20))
    ],
    people=[{"attribute": "gender", "group": "", "train": 60, "val": 20, "test": 20}],
    quarantined={"grade out of range": 3, "photo not found": 1},
)


def test_every_test_figure_has_its_interval():
    card = model_card(NEW)
    assert "| test_balanced_acc | 0.7500 [0.6000, 0.9000] |" in card
    assert "| test_qwk | - |" in card
    assert "| 1 | 4 | 5 | - | 0.6000 [0.5000, 1.0000] | 0.5000 |" in card
    assert "95% intervals over subjects" in card


def test_groups_gaps_and_what_is_too_small_are_told():
    card = model_card(NEW)
    assert "| gender | F | 40 | 80 | 0.800 [0.700, 0.900] | 0.700 | 0.900 | - |" in card
    assert r"| gender | a\|b | 3 |" in card, "a name from the data ends no cell"
    assert "| gender | balanced_acc | M | F | 0.100 [0.020, 0.200] | <.001 |" in card
    assert "- Too small to say anything of: gender a|b." in card
    assert "Nothing is said of a group of fewer than 30 subjects" in card


def test_the_flow_of_data_adds_up():
    card = model_card(NEW)
    assert "204 rows of the source asked for: 200 in the pack, 4 could not be used." in card
    assert "| grade out of range | 3 |" in card
    assert "| test | 20 | 40 |" in card
    assert "| gender | not known | 60 | 20 | 20 |" in card
    unknown = model_card(replace(NEW, quarantined=None))
    assert "200 images in the pack. What could not be used is not known" in unknown


def test_use_limits_and_calibration_are_told():
    card = model_card(NEW)
    assert "expected calibration error 0.0500" in card
    assert "0.0400 [-0.0100, 0.0900]; above 0 the model is too sure of itself." in card
    assert "no medical device and no diagnosis" in card
    assert "Fewer than 30 test images, and so uncertain figures, have: 1." in card
    assert "opened more than once" not in card
    assert "opened more than once" in model_card(replace(NEW, test_openings=2))
    assert "are not checked here" in model_card(replace(NEW, metric="val_balanced_acc_adjusted"))


def test_what_a_refit_of_an_older_version_does_not_know_is_left_out():
    card = model_card(OLD)
    assert "| test_balanced_acc | 0.7500 |" in card
    for heading in ("## Calibration", "## For whom it works", "## Data", "intervals over subjects"):
        assert heading not in card
    assert "## Intended use" in card
    assert "## Limits" in card


def test_a_pack_that_says_nothing_of_people_is_told_so():
    assert "the pack does not say whom its photos show" in model_card(replace(NEW, groups=[]))
