import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from skin_tune.errors import StoreError
from skin_tune.metrics import METRICS, confusion_matrix, metrics_of
from skin_tune.results.statistics.compare import SCORES, compare, compare_regions
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.show import comparison
from skin_tune.show import experiments as trials
from skin_tune.storage.files import Location
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import Bucket

K = 4
RNG = np.random.default_rng(0)
SUBJECT = np.repeat(np.arange(40), 3)
LABEL = np.repeat(RNG.choice(K, 40, p=[0.4, 0.3, 0.2, 0.1]), 3)


def graded(error: float, seed: int = 0, label: np.ndarray = LABEL) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, error, len(label))
    return np.clip(np.rint(label + noise), 0, K - 1).astype(np.int64)


def write(
    storage: Location,
    trials: dict[str, np.ndarray | None],
    *,
    region: str = "lip_dryness",
    experiment: str = "one",
    status: str = "completed",
    pack_id: str = "p",
    label: np.ndarray = LABEL,
    subject: Sequence[int] = tuple(SUBJECT),
) -> None:
    """Trials with their predictions, or, for None, with a score alone as older versions left them."""
    writer = ExperimentWriter(storage, region, experiment)
    for trial, predicted in trials.items():
        writer.update_trial(trial, status=status, pack_id=pack_id, started_at=now())
        shown = label if predicted is None else predicted
        metrics = metrics_of(confusion_matrix(label, shown, K), [str(grade) for grade in range(K)], ordinal=True)
        writer.update_trial(trial, **{f"val_{name}": metrics[name] for name in METRICS}, best_epoch=1, epochs=1)
        if predicted is not None:
            write_predictions(
                storage,
                region,
                experiment,
                trial,
                "val",
                sources=[f"{row}.jpg" for row in range(len(label))],
                subjects=[f"s{person}" for person in subject],
                labels=label,
                probabilities=np.eye(K, dtype=np.float32)[predicted],
            )
    writer.flush()
    writer.close()


def test_the_best_comes_first_with_the_stores_own_figures_and_intervals_around_them(tmp_path: Path):
    write(tmp_path, {"bad": graded(3), "good": graded(0.6), "fair": graded(0.9)})
    found = compare(tmp_path, "lip_dryness", resamples=500)
    assert found.trials["trial_id"].tolist() == ["good", "fair", "bad"]
    assert (found.images, found.subjects, found.reference) == (120, 40, 0)
    good = found.trials.iloc[0]
    exact = metrics_of(confusion_matrix(LABEL, graded(0.6), K), [*"0123"], ordinal=True)
    for score in SCORES:
        assert good[score] == pytest.approx(exact[score.removeprefix("val_")])
        if score != "val_within_one":  # of which all are, and people drawn anew say nothing
            assert good[f"{score}_low"] < good[score] < good[f"{score}_high"]
    assert (good["val_within_one"], np.isnan(good["val_within_one_low"])) == (1, True)
    assert good["difference"] == 0
    assert np.isnan(good["p_adjusted"])
    bad = found.trials.iloc[2]
    assert bad["difference"] == pytest.approx(bad["val_balanced_acc"] - good["val_balanced_acc"])
    assert bad["difference_low"] < bad["difference"] < bad["difference_high"] < 0
    assert bad["chance_better"] < 0.01
    assert bad["p_adjusted"] < 0.01
    assert found.expected["val_balanced_acc"] <= good["val_balanced_acc"]
    assert not found.notes


def test_less_error_is_better(tmp_path: Path):
    write(tmp_path, {"bad": graded(2), "good": graded(0.4)})
    found = compare(tmp_path, "lip_dryness", metric="val_mae", baseline="bad", resamples=500)
    assert found.trials["trial_id"].tolist() == ["good", "bad"]
    good = found.trials.iloc[0]
    assert good["difference_low"] < good["difference"] < good["difference_high"] < 0
    assert good["chance_better"] > 0.99
    assert good["p_adjusted"] < 0.01
    assert found.reference == 1
    assert found.within_noise.empty


def test_twins_differ_by_nothing_and_each_has_an_even_chance(tmp_path: Path):
    write(tmp_path, {"one": graded(0.7), "twin": graded(0.7), "other": graded(0.7, seed=1)})
    found = compare(tmp_path, "lip_dryness", baseline="one", resamples=500)
    twin = found.trials.set_index("trial_id").loc["twin"]
    assert (twin["difference"], twin["chance_better"], twin["p_adjusted"]) == (0, 0.5, 1)
    assert np.isnan(twin["difference_low"])
    best = compare(tmp_path, "lip_dryness", resamples=500)
    assert "twin" in set(best.within_noise["trial_id"]) | {best.trials["trial_id"][0]}


def test_the_same_seed_gives_the_same_figures(tmp_path: Path):
    write(tmp_path, {"one": graded(0.7), "other": graded(0.7, seed=1)})
    first, again = (compare(tmp_path, "lip_dryness", resamples=200) for _ in range(2))
    assert first.expected == again.expected
    pd.testing.assert_frame_equal(first.trials, again.trials)


def test_experiments_of_one_pack_are_compared_together(tmp_path: Path):
    write(tmp_path, {"train": graded(0.7)}, experiment="one")
    write(tmp_path, {"train": graded(0.4)}, experiment="two")
    write(tmp_path, {"t": graded(0.2)}, experiment="three", pack_id="q")
    found = compare(tmp_path, "lip_dryness", ["one", "two"], baseline="one/train", resamples=200)
    assert found.trials["experiment"].tolist() == ["two", "one"]
    assert found.trials["compared"].all()
    with pytest.raises(StoreError, match="'train' is in several experiments; give one of one/train, two/train"):
        compare(tmp_path, "lip_dryness", ["one", "two"], baseline="train")
    said = r"different packs.*'p' .*'q' .*: skin-tune compare one --region lip_dryness$"
    with pytest.raises(StoreError, match=said):
        compare(tmp_path, "lip_dryness")


def test_trials_without_predictions_are_shown_with_gaps_and_said_to_be(tmp_path: Path):
    write(tmp_path, {"old": None, "new": graded(0.7), "newer": graded(0.6)})
    write(tmp_path, {"broken": graded(0.1)}, experiment="two", status="diverged")
    found = compare(tmp_path, "lip_dryness", resamples=200)
    assert found.trials["trial_id"].tolist() == ["newer", "new", "old", "broken"]
    assert found.trials["compared"].tolist() == [True, True, False, False]
    old = found.trials.iloc[2]
    assert old["val_acc"] == 1
    assert old[["val_acc_low", "difference", "p_adjusted"]].isna().all()
    (note,) = found.notes
    assert note.startswith("1 trial is not compared: the store has no predictions of theirs")


def test_a_store_from_before_there_were_predictions_is_shown_with_its_scores_alone(tmp_path: Path):
    write(tmp_path, {"old": None, "older": None})
    done = skin_tune_here("compare", "--storage", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "note: 2 trials are not compared" in done.stdout
    assert "[" not in done.stdout
    assert_one_line_error(
        skin_tune_here("compare", "--baseline", "old", "--storage", tmp_path), "'old'", "such as none"
    )


def test_a_store_in_a_bucket_is_compared_as_one_on_disk(tmp_path: Path, bucket: Bucket):
    for storage in (tmp_path, bucket.path):
        write(storage, {"one": graded(0.7), "two": graded(0.8)})
    here, there = (compare(storage, "lip_dryness", resamples=200) for storage in (tmp_path, bucket.url))
    pd.testing.assert_frame_equal(here.trials, there.trials)


def test_trials_that_predicted_other_images_are_not_compared(tmp_path: Path):
    write(tmp_path, {"one": graded(0.7), "two": graded(0.8)})
    write(tmp_path, {"half": graded(0.1)[:60]}, experiment="two", label=LABEL[:60], subject=tuple(SUBJECT[:60]))
    found = compare(tmp_path, "lip_dryness", resamples=200)
    assert found.trials["trial_id"].tolist() == ["one", "two", "half"]
    assert found.images == 120
    assert "other images" in found.notes[0]


def test_an_experiment_that_has_finished_nothing_is_named(tmp_path: Path):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "young")
    writer.update_trial("young-000", status="running", pack_id="p")
    writer.flush()
    found = compare(tmp_path, "lip_dryness")
    assert "experiment young has no trial that finished an epoch" in found.notes
    assert found.reference is None
    assert found.trials[list(SCORES)].isna().all(axis=None)
    done = skin_tune_here("compare", "--storage", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "experiment young has no trial that finished an epoch" in done.stdout


def test_a_single_subject_gets_gaps_and_a_line(tmp_path: Path):
    write(tmp_path, {"one": graded(0.7), "two": graded(0.8)}, subject=[0] * len(LABEL))
    found = compare(tmp_path, "lip_dryness")
    assert found.trials[[f"{score}_low" for score in SCORES]].isna().all(axis=None)
    assert found.trials["p_adjusted"].isna().all()
    assert found.expected == {}
    assert "all validation images are of one subject: no interval can be given" in found.notes
    assert "nan" not in skin_tune_here("compare", "--storage", tmp_path).stdout


def test_a_grade_that_validation_lacks_or_hardly_has_is_named(tmp_path: Path):
    label = np.where(LABEL == 3, 2, LABEL)
    label[:3] = 1
    label[label == 1] = 0
    label[:3] = 1
    write(tmp_path, {"one": graded(0.7, label=label), "two": graded(0.8, label=label)}, label=label)
    notes = compare(tmp_path, "lip_dryness", resamples=200).notes
    assert "no validation image is of grade 3: balanced accuracy is over the other grades" in notes
    assert "grade 1 is seen in one subject only: balanced accuracy and macro F1 hang on it" in notes


def test_each_region_has_a_table_of_its_own_and_one_that_cannot_be_compared_does_not_stop_the_others(tmp_path: Path):
    write(tmp_path, {"a": graded(0.4), "b": graded(0.9)})
    write(tmp_path, {"c": graded(0.4)}, region="chin_sagging", experiment="one")
    write(tmp_path, {"d": graded(0.4)}, region="cheek_pore", experiment="one")
    write(tmp_path, {"e": graded(0.4)}, region="cheek_pore", experiment="two", pack_id="q")
    comparisons, failed = compare_regions(tmp_path)
    assert sorted(each.region for each in comparisons) == ["chin_sagging", "lip_dryness"]
    assert [str(error).split()[0] for error in failed] == ["cheek_pore"]
    only, _ = compare_regions(tmp_path, baseline="b")
    assert [each.region for each in only] == ["lip_dryness"]
    done = skin_tune_here("compare", "--storage", tmp_path)
    assert done.returncode == 0
    assert "lip_dryness" in done.stdout
    assert "not compared: cheek_pore has trials on different packs" in done.stderr


def test_the_table_says_what_it_means(tmp_path: Path):
    write(tmp_path, {"good": graded(0.3), "fair": graded(0.8), "bad": graded(3)})
    done = skin_tune_here("compare", "one", "--storage", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "best: good, balanced acc 0." in done.stdout
    assert "is to be expected on people who did not choose it" in done.stdout
    assert "fair, the second, is worse with a chance of > 99 %; 0 of 2 within noise of the best" in done.stdout
    assert "intervals: 95%, 10000 resamples of 40 subjects (120 validation images)" in done.stdout
    against = skin_tune_here("compare", "--baseline", "fair", "--limit", 1, "--storage", tmp_path)
    assert "1 of 2 are better than the baseline, 0 within noise of it" in against.stdout
    assert "bad" not in against.stdout


@pytest.mark.parametrize("width", [100, 120, 160])
def test_the_table_fits_the_terminal(tmp_path: Path, width: int, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, {"forehead-000": graded(0.3), "forehead-001": graded(0.8)})
    out = io.StringIO()
    monkeypatch.setattr(comparison, "open_console", lambda: Console(file=out, width=width))
    comparison.print_comparisons([compare(tmp_path, "lip_dryness", resamples=200)], "table", None)
    table = out.getvalue().splitlines()[:3]
    assert "…" not in "".join(table)
    assert "forehead-001" in table[2]
    assert "[" in table[1]


def test_the_list_of_trials_drops_columns_until_it_fits_the_terminal(monkeypatch: pytest.MonkeyPatch):
    words = {"region": "lip_dryness", "experiment": "one", "trial_id": "a", "status": "completed"}
    rows = [{**words, **{f"config/name_{column}": float(column + row) for column in range(9)}} for row in (0, 1)]
    out = io.StringIO()
    monkeypatch.setattr(trials, "open_console", lambda: Console(file=out, width=120))
    trials.print_trials(pd.DataFrame(rows), "table")
    assert "…" not in out.getvalue()
    assert "name_0" in out.getvalue()
    assert "name_8" not in out.getvalue()


def test_programs_get_csv_and_json(tmp_path: Path):
    write(tmp_path, {"one": graded(0.7), "two": graded(0.8), "old": None})
    frame = pd.read_csv(io.StringIO(skin_tune_here("compare", "--format", "csv", "--storage", tmp_path).stdout))
    assert frame["trial_id"].tolist()[-1] == "old"
    assert {"val_qwk_low", "difference_high", "chance_better", "p_adjusted"} <= set(frame)
    (told,) = json.loads(skin_tune_here("compare", "--format", "json", "--limit", 1, "--storage", tmp_path).stdout)
    assert told["reference"] == f"one/{told['trials'][0]['trial_id']}"
    assert len(told["trials"]) == 1
    assert told["trials"][0]["p_adjusted"] is None
    assert told["expected"]["val_balanced_acc"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sort", "val_loss"], "--sort 'val_loss' is not one of val_acc, val_balanced_acc"),
        (["--baseline", "nobody"], "--baseline 'nobody' is not a trial that can be compared, such as one, two"),
        (["nine"], "no trial of experiment 'nine'"),
        (["--region", "chin_sagging"], "no trial of region 'chin_sagging'"),
        (["--format", "xml"], "--format 'xml' is not one of"),
        (["--limit", "0"], "limit"),
    ],
)
def test_what_cannot_be_compared_is_a_line(tmp_path: Path, options: list[str], said: str):
    write(tmp_path, {"one": graded(0.5), "two": graded(0.8)})
    assert_one_line_error(skin_tune_here("compare", *options, "--storage", tmp_path), said)


def test_a_folder_without_results_is_a_line(tmp_path: Path):
    assert_one_line_error(skin_tune_here("compare", "--storage", tmp_path), "no results below")


def write_nominal(storage: Location, trials: dict[str, np.ndarray | None], **options: Any) -> None:
    """As `write`, with a store that says that the classes are nominal."""
    write(storage, trials, **options)
    writer = ExperimentWriter(storage, options.get("region", "lip_dryness"), options.get("experiment", "one"))
    for trial in trials:
        writer.update_trial(trial, **class_columns(["akiec", "bcc", "mel", "nv"], ordinal=False))
        writer.update_trial(trial, val_mae=None, val_within_one=None, val_qwk=None)
    writer.flush()
    writer.close()


def test_nominal_classes_have_gaps_where_an_order_would_be_needed(tmp_path: Path):
    write_nominal(tmp_path, {"one": graded(0.7), "two": graded(0.8)})
    found = compare(tmp_path, "lip_dryness")
    gaps = [column for column in found.trials.columns if column.startswith(("val_mae", "val_within_one", "val_qwk"))]
    assert len(gaps) == 9
    assert found.trials[gaps].isna().all(axis=None)
    assert found.trials[["val_balanced_acc_low", "val_macro_f1", "val_acc_high", "difference"]].notna().any().all()
    assert not found.ordinal
    shown = skin_tune_here("compare", "--storage", tmp_path)
    assert "macro F1" in shown.stdout
    assert not [word for word in ("MAE", "within 1", "QWK") if word in shown.stdout]
    (facts,) = json.loads(skin_tune_here("compare", "--storage", tmp_path, "--format", "json").stdout)
    assert facts["ordinal"] is False
    assert facts["expected"]["val_balanced_acc"] > 0
    assert [facts["expected"][f"val_{name}"] for name in ("mae", "within_one", "qwk")] == [None] * 3
    assert [row["val_qwk"] for row in facts["trials"]] == [None, None]
    rows = pd.read_csv(io.StringIO(skin_tune_here("compare", "--storage", tmp_path, "--format", "csv").stdout))
    assert rows[gaps].isna().all(axis=None)


def test_nominal_trials_do_not_compare_by_what_needs_an_order(tmp_path: Path):
    write_nominal(tmp_path, {"one": graded(0.7), "two": graded(0.8)})
    refused = skin_tune_here("compare", "--storage", tmp_path, "--sort", "val_qwk")
    assert_one_line_error(refused, "--sort 'val_qwk'", "those of lip_dryness are nominal")
    write(tmp_path, {"a": graded(0.7), "b": graded(0.8)}, region="chin_sagging")
    both = skin_tune_here("compare", "--storage", tmp_path, "--sort", "val_qwk")
    assert both.returncode == 0
    assert "not compared: --sort 'val_qwk'" in both.stderr
    assert "QWK" in both.stdout


def test_a_class_that_validation_lacks_is_told_by_its_name(tmp_path: Path):
    label = np.where(LABEL == 3, 0, LABEL)
    shown = np.where(graded(0.7) == 3, 0, graded(0.7))
    write_nominal(tmp_path, {"one": shown}, label=label)
    notes = compare(tmp_path, "lip_dryness").notes
    assert "no validation image is of class nv: balanced accuracy is over the other classes" in notes


def test_trials_are_compared_by_the_adjusted_decision_where_that_is_asked_for(tmp_path: Path):
    plain, decided = graded(0.9, seed=1), graded(0.3, seed=2)
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    for trial, adjusted in (("a", decided), ("b", plain), ("old", None)):
        own = {"metric": "val_macro_f1_adjusted"} if trial != "old" else {}
        writer.update_trial(trial, status="completed", pack_id="p", started_at=now(), best_epoch=1, epochs=1, **own)
        write_predictions(
            *(tmp_path, "lip_dryness", "one", trial, "val"),
            sources=[str(row) for row in range(len(LABEL))],
            subjects=[str(subject) for subject in SUBJECT],
            labels=LABEL,
            probabilities=np.eye(K, dtype=np.float32)[plain],
            predicted_adjusted=adjusted,
        )
    writer.flush()
    ([asked_nothing], _) = compare_regions(tmp_path)
    assert asked_nothing.metric == "val_macro_f1_adjusted", "by what they were chosen by"
    found = compare(tmp_path, "lip_dryness", metric="val_macro_f1_adjusted")
    assert found.trials["trial_id"].tolist() == ["a", "b", "old"]
    expected = metrics_of(confusion_matrix(LABEL, decided, K), ["0", "1", "2", "3"], ordinal=True)
    best = found.trials.iloc[0]
    for name in METRICS:
        assert best[f"val_{name}_adjusted"] == pytest.approx(expected[name])
    assert best["val_macro_f1_adjusted_low"] < best["val_macro_f1_adjusted"] < best["val_macro_f1_adjusted_high"]
    assert found.trials["compared"].tolist() == [True, True, False]
    assert any("1 trial is not compared" in note for note in found.notes)
    assert compare(tmp_path, "lip_dryness").compared["trial_id"].tolist() == ["a", "b", "old"]


def test_of_trials_that_were_chosen_softly_the_chosen_one_is_named(tmp_path: Path):
    write(tmp_path, {"a": graded(0.5, seed=1), "b": graded(0.6, seed=2)})
    writer = ExperimentWriter(tmp_path, "lip_dryness", "one")
    for trial, soft in (("a", 0.5), ("b", 0.4)):
        own = {"metric": "val_soft_macro_f1_adjusted", "val_soft_macro_f1_adjusted": soft}
        writer.update_trial(trial, val_macro_f1_adjusted=soft, **own)
    writer.flush()
    writer.close()
    ([found], _) = compare_regions(tmp_path)
    assert found.metric == "val_macro_f1_adjusted"
    assert found.notes[0] == (
        "a is best by val_soft_macro_f1_adjusted, which its experiment asks for: confirm, combine and refit go by that"
    )
    ([asked], _) = compare_regions(tmp_path, metric="val_macro_f1")
    assert not any("is best by" in note for note in asked.notes)
