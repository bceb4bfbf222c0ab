"""By group: figures worked out by hand, intervals of the bootstrap of the group alone, and what is too small to say."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skin_tune.errors import StoreError
from skin_tune.metrics import metrics_for, scores_of
from skin_tune.results.statistics.attributes import checked_attributes
from skin_tune.results.statistics.bootstrap import bootstrap_sums, intervals, resample_counts, tally_subjects
from skin_tune.results.statistics.compare import compare, compare_regions
from skin_tune.results.statistics.multiple_comparisons import range_of
from skin_tune.results.statistics.subgroups import Grouping, grouping_of
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.photo_columns import FEWEST_SUBJECTS, age_band
from tests.cli_runner import assert_one_line_error, skin_tune_here

DRAWS = partial(resample_counts, resamples=400, seed=0)


def rows_of(group: list[str], label: list[int], predicted: list[int], subject: list[str] | None = None) -> pd.DataFrame:
    subject = subject or [f"s{row}" for row in range(len(group))]
    return pd.DataFrame({"group": group, "label": label, "predicted": predicted, "subject": subject})


def grouped(rows: pd.DataFrame, classes: int = 2, *, ordinal: bool = True) -> Grouping:
    return grouping_of("gender", rows, classes, metrics_for(ordinal), DRAWS)


def two_groups() -> pd.DataFrame:
    """40 women, of whom 30 of 30 and 5 of 10 are graded right; 40 men, of whom 15 of 20 and 5 of 20 are."""
    women = rows_of(["F"] * 40, [0] * 30 + [1] * 10, [0] * 30 + [1] * 5 + [0] * 5)
    men = rows_of(["M"] * 40, [0] * 20 + [1] * 20, [0] * 15 + [1] * 5 + [1] * 5 + [0] * 15)
    men["subject"] = [f"m{row}" for row in range(40)]
    return pd.concat([women, men], ignore_index=True)


def test_the_figures_of_a_group_are_those_worked_out_by_hand():
    women, men = grouped(two_groups()).groups
    assert (women.name, women.images, women.subjects, women.missing) == ("F", 40, 40, ())
    assert women.scores["balanced_acc"].value == pytest.approx((30 / 30 + 5 / 10) / 2)
    assert women.scores["acc"].value == pytest.approx(35 / 40)
    assert men.scores["balanced_acc"].value == pytest.approx((15 / 20 + 5 / 20) / 2)
    assert men.scores["mae"].value == pytest.approx(20 / 40)
    assert women.scores["macro_f1"].value == pytest.approx((2 * 30 / 65 + 2 * 5 / 15) / 2)


def test_the_gap_goes_from_the_worst_to_the_best_whichever_way_is_better():
    gaps = grouped(two_groups()).gaps
    assert (gaps["balanced_acc"].worst, gaps["balanced_acc"].best) == ("M", "F")
    assert gaps["balanced_acc"].size.value == pytest.approx(0.75 - 0.5)
    assert (gaps["mae"].worst, gaps["mae"].best) == ("M", "F")
    assert gaps["mae"].size.value == pytest.approx(20 / 40 - 5 / 40)
    low, high = gaps["balanced_acc"].size[1:]
    assert 0 < low < 0.25 < high < 0.6
    # By hand: the two means of recalls have variances (0 + .25/10)/4 and (.1875/20 + .1875/20)/4.
    spread = ((0.25 / 10) / 4 + (2 * 0.1875 / 20) / 4) ** 0.5
    assert (high - low) / 2 == pytest.approx(1.96 * spread, rel=0.25)
    assert gaps["balanced_acc"].p == pytest.approx(2 * stats.norm.sf(0.25 / spread), abs=0.03)


def test_the_interval_of_a_group_is_that_of_a_bootstrap_of_its_people_alone():
    rows = two_groups()
    men = rows[rows["group"] == "M"]
    label, predicted = (men[name].to_numpy() for name in ("label", "predicted"))
    alone = tally_subjects(np.arange(len(men)), label, predicted, len(men), 2)
    exact, drawn, fewer = (scores_of(sums)["balanced_acc"] for sums in bootstrap_sums(alone, DRAWS(len(men))))
    (low,), (high,) = intervals(exact, drawn[:, None], fewer[:, None])
    assert grouped(rows).groups[1].scores["balanced_acc"] == (pytest.approx(0.5), low, high)


def test_a_group_of_few_people_is_neither_worst_nor_best():
    few = rows_of(["X"] * (FEWEST_SUBJECTS - 1), [0, 1] * 14 + [0], [1, 0] * 14 + [1], [f"x{n}" for n in range(29)])
    found = grouped(pd.concat([two_groups(), few], ignore_index=True))
    assert {group.name: group.too_small for group in found.groups} == {"F": False, "M": False, "X": True}
    assert found.groups[2].scores["balanced_acc"].value == 0
    assert found.gaps["balanced_acc"].worst == "M"


def test_a_group_that_lacks_a_class_is_too_small_as_its_score_is_over_other_classes():
    without = rows_of(["X"] * 40, [0] * 40, [0] * 40, [f"x{row}" for row in range(40)])
    found = grouped(pd.concat([two_groups(), without], ignore_index=True))
    assert found.groups[2].missing == (1,)
    assert found.groups[2].too_small
    assert found.gaps["balanced_acc"].best == "F", "though X has 1.0"


def test_images_of_which_the_source_does_not_say_are_a_group_that_is_not_compared():
    rows = two_groups()
    rows.loc[rows["group"] == "M", "group"] = ""
    found = grouped(rows)
    assert [group.name for group in found.groups] == ["F", ""]
    assert not found.gaps


def test_people_who_are_in_both_groups_are_compared_with_themselves():
    # The same people photographed by two devices with the same answers: no gap, and no luck that could make one.
    rows = two_groups()
    both = pd.concat([rows.assign(group="01"), rows.assign(group="02")], ignore_index=True)
    gap = grouped(both).gaps["balanced_acc"]
    assert gap.size.value == 0
    assert np.isnan(gap.size.low), "every resample has the same gap: none"
    assert gap.p == 1


def test_nominal_classes_have_no_distance_in_groups():
    assert set(grouped(two_groups(), ordinal=False).groups[0].scores) == {"acc", "balanced_acc", "macro_f1"}


@pytest.mark.parametrize(("groups", "gap"), [(2, 2.0), (6, 3.5)])
def test_the_gap_counts_all_pairs_that_could_have_been_picked(groups: int, gap: float):
    # Of independent normal figures the range is Tukey's; of two it is the z-test.
    rng = np.random.default_rng(0)
    point = np.zeros(groups)
    point[1] = gap
    found = range_of(point, point + rng.normal(size=(20_000, groups)), rng.normal(size=(5_000, groups)), 0, 1)
    assert found.p == pytest.approx(stats.studentized_range.sf(gap, groups, np.inf), abs=0.01)
    reach = stats.studentized_range.ppf(0.95, groups, np.inf)
    assert (found.low, found.high) == pytest.approx((gap - reach, gap + reach), abs=0.1)


@pytest.mark.parametrize(
    ("years", "band"), [(0, "0-19"), (19.9, "0-19"), (20, "20-29"), (59.5, "50-59"), (60, "60+"), (np.nan, "")]
)
def test_ages_are_in_bands_of_ten_years(years: float, band: str):
    assert age_band(years) == band


def test_attributes_are_named_once_and_exist():
    assert checked_attributes("gender, device,gender") == ("gender", "device")
    with pytest.raises(StoreError, match="--by 'sex' is not one of device, angle, age, gender, skin_type"):
        checked_attributes("gender,sex")


def write(storage: Path, about: dict[str, Any] | None, trial: str = "exp-000", error: float = 0.4) -> None:
    """A trial of 80 people, 40 of either gender, with two photos each."""
    label = np.repeat(np.arange(80) % 4, 2)
    noise = np.random.default_rng(int(trial[-1])).random(len(label)) < error
    predicted = np.where(noise, (label + 1) % 4, label)
    writer = ExperimentWriter(storage, "lip_dryness", "exp")
    writer.update_trial(trial, status="completed", pack_id="p", started_at=now(), val_balanced_acc=0.5, epochs=1)
    writer.update_trial(trial, metric="val_balanced_acc", **class_columns([*"0123"], ordinal=True))
    write_predictions(
        storage,
        "lip_dryness",
        "exp",
        trial,
        "val",
        sources=[f"{row}.jpg" for row in range(len(label))],
        subjects=[f"s{row // 2}" for row in range(len(label))],
        labels=label,
        probabilities=np.eye(4, dtype=np.float32)[predicted],
        about=about,
    )
    writer.flush()
    writer.close()


ABOUT = {
    "gender": ["F", "F", "M", "M"] * 40,
    "age": [25.0] * 100 + [33.0] * 40 + [None] * 20,
    "device": ["01", "02"] * 80,
}
BY_GENDER = {"gender": np.repeat(["F", "M"], 80).tolist()}


def test_compare_gives_every_trial_by_group_best_first(tmp_path: Path):
    write(tmp_path, BY_GENDER, "exp-000", 0.6)
    write(tmp_path, BY_GENDER, "exp-001", 0.2)
    found = compare(tmp_path, "lip_dryness", by="gender", resamples=300)
    assert found.groups is not None
    assert found.gaps is not None
    assert found.groups["trial_id"].tolist() == ["exp-001"] * 2 + ["exp-000"] * 2
    assert found.groups["group"].tolist() == ["F", "M"] * 2
    assert found.groups["subjects"].tolist() == [40] * 4
    assert found.groups["images"].tolist() == [80] * 4
    whole = found.trials.set_index("trial_id")["val_acc"]
    assert found.groups.groupby("trial_id")["val_acc"].mean().to_dict() == pytest.approx(whole.to_dict())
    gap = found.gaps.set_index(["trial_id", "metric"]).loc[("exp-001", "val_acc")]
    scores = found.groups[found.groups["trial_id"] == "exp-001"].set_index("group")["val_acc"]
    assert gap["gap"] == pytest.approx(scores[gap["best"]] - scores[gap["worst"]])


def test_what_one_trial_says_of_a_photo_holds_for_the_others_of_older_versions(tmp_path: Path):
    write(tmp_path, None, "exp-000")
    write(tmp_path, BY_GENDER, "exp-001")
    found = compare(tmp_path, "lip_dryness", by=["gender"], resamples=50)
    assert found.groups is not None
    assert found.groups.groupby("trial_id")["group"].agg(list).to_dict() == {
        "exp-000": ["F", "M"],
        "exp-001": ["F", "M"],
    }


def test_without_by_there_are_no_groups(tmp_path: Path):
    write(tmp_path, BY_GENDER)
    found = compare(tmp_path, "lip_dryness", resamples=50)
    assert (found.groups, found.gaps) == (None, None)


def test_an_attribute_that_no_image_has_is_refused_with_those_there_are(tmp_path: Path):
    write(tmp_path, BY_GENDER)
    with pytest.raises(StoreError, match="--by 'skin_type': no image of lip_dryness says it; they say gender"):
        compare(tmp_path, "lip_dryness", by="skin_type")
    with pytest.raises(StoreError, match="not one of"):
        compare_regions(tmp_path, by="sex")
    write(tmp_path / "old", None)
    with pytest.raises(StoreError, match="nothing is known of whom they show"):
        compare(tmp_path / "old", "lip_dryness", by="gender")


def test_the_command_shows_groups_in_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, {**ABOUT, **BY_GENDER}, "exp-000", 0.6)
    write(tmp_path, {**ABOUT, **BY_GENDER}, "exp-001", 0.2)
    monkeypatch.setattr("tests.cli_runner.COLUMNS", "80")
    done = skin_tune_here("compare", "--by", "gender,age", "--storage", tmp_path)
    assert done.returncode == 0, done.stderr
    tables = [line for line in done.stdout.splitlines() if line.startswith(" ")]
    assert max(map(len, tables)) <= 80
    assert "by gender: exp-001" in done.stdout
    assert "too small: 30-39 (fewer than 30 subjects); not known" not in done.stdout
    assert "too small: 30-39 (fewer than 30 subjects)" in done.stdout
    assert "too small: not known (fewer than 30 subjects)" in done.stdout
    assert "worst: cannot be said" in done.stdout
    csv = skin_tune_here("compare", "--by", "gender", "--storage", tmp_path, "--format", "csv", "--limit", 1)
    assert len(csv.stdout.splitlines()) == 3
    assert_one_line_error(skin_tune_here("compare", "--by", "sex", "--storage", tmp_path), "'sex'", "gender, skin_type")
