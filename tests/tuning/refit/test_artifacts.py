"""What a refit leaves behind says what scikit-learn says of the same answers, and is complete or not there."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_fscore_support

from skin_tune.data.pack.format import Pack
from skin_tune.errors import StoreError
from skin_tune.results import load_predictions
from skin_tune.results.report.model_card import model_card
from skin_tune.results.store.writer import record_test_opening
from skin_tune.storage.run_paths import quarantine_path
from skin_tune.training.evaluation import Evaluation
from skin_tune.tuning.refit.artifacts import facts_of, write_refit
from skin_tune.tuning.refit.plan import RefitPlan, RefitRequest, plan_refit
from skin_tune.tuning.refit.runner import run_refit
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import trial_row, write_experiment

ENDED = {"best_epoch": 2, "hardware": "CPU, 1 threads"}


@pytest.fixture
def pack(make_pack: PackMaker, tmp_path: Path) -> Pack:
    pack = make_pack()
    write_experiment(tmp_path / "runs", pack, {"exp-000": trial_row(pack, 0.4), "exp-001": trial_row(pack, 0.6)})
    return pack


def plan_of(tmp_path: Path, **options: Any) -> RefitPlan:
    """A plan whose training is over, and whose test split has been opened."""
    plan = plan_refit(RefitRequest("exp", storage=tmp_path / "runs", **options))
    plan.checkpoints.mkdir(parents=True)
    (plan.checkpoints / "best.pt").write_bytes(b"the model")
    opening = {"command": "refit", "pack_id": plan.pack.info.pack_id}
    record_test_opening(plan.paths.storage, plan.region, "exp", plan.model, **opening)
    return plan


def answers_of(pack: Pack) -> Evaluation:
    """Answers to the test images, some of them wrong, none of them the rarest grade."""
    rows = pack.indices("test")
    labels, classes = pack.labels[rows], len(pack.classes)
    predicted = np.where(np.arange(len(rows)) % 4 == 0, (labels + 1) % 2, np.minimum(labels, 1))
    probabilities = np.full((len(rows), classes), 0.1, np.float32)
    probabilities[np.arange(len(rows)), predicted] = 0.8
    return Evaluation(
        adjusted_probabilities=np.eye(classes, dtype=np.float32)[labels],
        loss=0.5,
        probabilities=probabilities,
        labels=labels,
        subjects=pack.subjects[rows],
        sources=pack.sources[rows],
        about={name: column[rows] for name, column in pack.about.items()},
    )


def test_the_facts_are_what_scikit_learn_counts(pack: Pack, tmp_path: Path):
    plan, evaluation = plan_of(tmp_path), answers_of(pack)
    facts = facts_of(plan, evaluation, ENDED, epochs=2, seconds=20.0, gpu_seconds=40.0)
    labels, predicted = evaluation.labels, evaluation.probabilities.argmax(axis=1)
    assert facts.metrics["test_balanced_acc"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert facts.metrics["test_macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert facts.metrics["test_loss"] == 0.5
    _, recall, _, images = precision_recall_fscore_support(labels, predicted, zero_division=np.nan)
    assert [row["recall"] for row in facts.classes] == pytest.approx(recall.tolist())
    assert [row["test_images"] for row in facts.classes] == images.tolist()
    assert facts.classes[2]["precision"] is None, "a grade that was never said has none"
    assert np.array(facts.confusion).sum(axis=1).tolist() == images.tolist()
    assert (facts.trial, facts.trials, facts.best_epoch, facts.test_openings) == ("exp-001", 2, 2, 1)


@pytest.mark.parametrize(
    ("include_val", "images", "words"), [(False, [24, 12, 6], "train"), (True, [32, 18, 10], "train and val")]
)
def test_the_card_tells_what_was_trained_on(
    pack: Pack, tmp_path: Path, include_val: bool, images: list[int], words: str
):
    facts = facts_of(plan_of(tmp_path, include_val=include_val), answers_of(pack), ENDED, 2, 20.0, 0.0)
    assert facts.trained_on == words
    assert [row["train_images"] for row in facts.classes] == images


def test_every_opening_of_the_pack_s_test_split_counts(pack: Pack, tmp_path: Path):
    plan = plan_of(tmp_path)
    for pack_id in (pack.info.pack_id, "another pack"):
        record_test_opening(plan.paths.storage, plan.region, "other", "model", command="evaluate", pack_id=pack_id)
    assert facts_of(plan, answers_of(pack), ENDED, 2, 20.0, 0.0).test_openings == 2


def test_a_refit_that_is_written_is_complete_and_is_not_run_again(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan, evaluation = plan_of(tmp_path), answers_of(pack)
    facts = facts_of(plan, evaluation, ENDED, 2, 20.0, 40.0)
    write_refit(plan, facts, evaluation)
    names = {"model.pt", "config.json", "classes.json", "model_card.md", "metrics.json"}
    assert {path.name for path in plan.folder.iterdir()} == names
    assert (plan.folder / "model.pt").read_bytes() == b"the model"
    assert json.loads((plan.folder / "classes.json").read_text()) == pack.classes
    assert not plan.checkpoints.exists()
    answers = load_predictions(plan.paths.storage, experiment="exp", split="test")
    assert answers["label"].tolist() == evaluation.labels.tolist()
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")  # nothing is to start Ray
    again = run_refit(plan.request)
    assert not again.new
    assert again.facts == facts


def test_a_refit_of_which_a_file_cannot_be_written_is_not_complete(pack: Pack, tmp_path: Path):
    plan, evaluation = plan_of(tmp_path), answers_of(pack)
    (plan.folder / "model_card.md").mkdir(parents=True)
    (plan.folder / "model_card.md" / "in the way").touch()
    with pytest.raises(OSError, match="model_card"):
        write_refit(plan, facts_of(plan, evaluation, ENDED, 2, 20.0, 0.0), evaluation)
    assert not (plan.folder / "metrics.json").exists()
    assert (plan.checkpoints / "best.pt").is_file(), "what was trained is not lost"


def test_facts_that_are_none_are_refused_in_one_line(pack: Pack, tmp_path: Path):
    plan = plan_of(tmp_path)
    plan.folder.mkdir(parents=True)
    for text in ("", "[1]", '{"model": "x"}', '{"metrics": 5}'):
        (plan.folder / "metrics.json").write_text(text)
        with pytest.raises(StoreError, match=r"metrics.json' is not what this program writes of a refit; remove it"):
            run_refit(plan.request)


def test_the_facts_say_of_whom_the_figures_are_and_how_sure_they_are(make_pack: PackMaker, tmp_path: Path):
    counts = {"train": (12, 12), "val": (6, 6), "test": (40, 40)}
    pack = make_pack(counts, about={"gender": ["F", "M"], "age": [25.0, None, 64.0]}, name="described")
    quarantine_path(pack.path).write_text("source,reason,detail\na.jpg,photo not found,\nb.jpg,photo not found,\n")
    write_experiment(tmp_path / "runs", pack, {"exp-000": trial_row(pack, 0.4)})
    evaluation = answers_of(pack)
    of_labels = evaluation.probabilities[np.arange(len(evaluation.labels)), evaluation.labels]
    evaluation = replace(evaluation, loss=float(-np.log(of_labels).mean()))
    facts = facts_of(plan_of(tmp_path), evaluation, ENDED, 2, 20.0, 0.0)

    assert facts.quarantined == {"photo not found": 2}
    assert [(row["split"], row["subjects"], row["images"]) for row in facts.splits] == [
        ("train", 24, 24),
        ("val", 12, 12),
        ("test", 80, 80),
    ]
    people = {(row["attribute"], row["group"]): row["test"] for row in facts.people}
    about = {name: values[pack.indices("test")] for name, values in pack.about.items()}
    assert people["gender", "F"] == (about["gender"] == "F").sum() == 40
    assert people["age", "60+"] == (about["age"] == 64).sum()
    assert people["age", ""] == (about["age"] == None).sum()  # noqa: E711  of each element

    women = next(row for row in facts.groups if row["group"] == "F")
    own = about["gender"] == "F"
    predicted = evaluation.probabilities.argmax(axis=1)
    assert women["balanced_acc"] == pytest.approx(balanced_accuracy_score(evaluation.labels[own], predicted[own]))
    assert facts.intervals.keys() == facts.metrics.keys()
    for name, value in facts.metrics.items():
        low, high = facts.intervals[name]
        assert low is None or low <= value <= high, name
    assert facts.intervals["test_balanced_acc"] != [None, None]
    assert facts.classes[0]["recall_low"] < facts.classes[0]["recall"] < facts.classes[0]["recall_high"]
    surplus = evaluation.probabilities.max(axis=1).mean() - (predicted == evaluation.labels).mean()
    assert facts.calibration["overconfidence"] == pytest.approx(surplus, abs=1e-6)
    assert "| gender | F | 40 | 40 |" in model_card(facts)
