"""The report as a page: what it says of champions, gaps and figures."""

import json
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pyarrow.parquet as pq
import pytest

from skin_tune.errors import StoreError
from skin_tune.results import load_predictions
from skin_tune.results.report import write_report
from skin_tune.results.report.importance import FEWEST
from skin_tune.results.report.model_performance import model_performance
from skin_tune.results.report.section import sections
from skin_tune.results.statistics.run_names import fold_run_of, run_of
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.ranking import rank_trials
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import Bucket
from tests.results.report.report_reader import report_of, specs_of, text_of
from tests.results.report.report_store import answers, scores, write_refit, write_spec, write_trials


def test_a_summary_says_who_won_how_sure_that_is_and_what_it_cost(tmp_path: Path):
    write_trials(tmp_path)
    best = rank_trials(tmp_path).iloc[0]
    write_refit(tmp_path, best["trial_id"])
    write_refit(tmp_path, best["trial_id"])
    text = text_of(report_of(tmp_path, price=2.0))
    assert f"Of 24 trials the best is {best['trial_id']}: Balanced accuracy {best['val_balanced_acc']:.3f} (95%" in text
    assert "guessing gives 0.250" in text
    assert f"Refitted as {best['trial_id']}-refit" in text
    assert "which has been opened 2 times" in text
    # 8 trials of 9 epochs and 16 of 3, an hour each: 120 of 216, the other 96 saved
    assert "Early stopping ran 120 of 216 epochs : 44% saved".replace(" :", ":") in text
    assert "about 96 GPU-hours" in text
    assert "Cost: 120 GPU-hours , 240.00 in money".replace(" ,", ",") in text


def test_every_figure_is_one_that_plotly_accepts(tmp_path: Path):
    write_trials(tmp_path)
    write_trials(tmp_path, "forehead_wrinkle", "other", counts=(20, 0, 9))
    specs = specs_of(report_of(tmp_path))
    kinds = {name.split("-", 2)[2] for name in specs}
    assert kinds == {"curves", "parallel", "importance", "recall", "calibration", "groups"}
    for spec in specs.values():
        text = json.dumps(spec, ensure_ascii=False).replace("§ink", "black").replace("§paper", "white")
        go.Figure(json.loads(text))  # raises for what plotly.js would not know


def test_the_learning_curves_hold_every_epoch_and_mark_where_trials_were_stopped(tmp_path: Path):
    write_trials(tmp_path, trials=6, epochs=9)
    curves = {trace["name"]: trace for trace in specs_of(report_of(tmp_path))["figure-0-curves"]["data"]}
    assert [x for x in curves["§completed"]["x"] if x] == [*range(1, 10)] * 2
    assert curves["§completed"]["y"].count(None) == 1
    assert curves["§stop"]["x"] == [3, 3, 3, 3]
    assert curves["§stop"]["text"] == ["exp-001", "exp-002", "exp-004", "exp-005"]


def test_names_from_data_cannot_become_part_of_the_page(tmp_path: Path):
    evil = "<script>alert(1)</script>"
    write_trials(tmp_path, trials=21)
    writer = ExperimentWriter(tmp_path, "lip_dryness", "exp")
    writer.update_trial("exp-000", **{"config/train_loss": evil, "libraries": evil, "hardware": '"><img src=x>'})
    writer.update_trial("exp-001", **{"config/train_loss": "§ink {braces} </style>"})
    writer.update_trial("bad", status="failed", error=f"{evil} </script>", **{"config/train_loss": "cb"})
    writer.flush()
    writer.close()
    page = report_of(tmp_path)
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert page.count("</script>") == len(re.findall(r"<script[ >]", page))
    assert "&lt;script&gt;alert(1)" in page
    ticks = [note["text"] for note in specs_of(page)["figure-0-parallel"]["layout"]["annotations"]]
    assert "&#167;ink +2" in ticks
    assert not [tick for tick in ticks if "<" in tick]


def test_the_page_asks_nobody_for_anything(tmp_path: Path):
    write_trials(tmp_path, trials=2)
    page = report_of(tmp_path)
    assert "default-src 'none'" in page
    outside = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href)=\"(?!#)", outside)
    assert not re.findall(r"@import|url\(", outside)


def test_packs_of_one_region_are_sections_of_their_own(tmp_path: Path):
    write_trials(tmp_path, experiment="old", trials=3, pack_id="aaaa")
    write_trials(tmp_path, experiment="new", trials=4, pack_id="bbbb")
    found = sections(tmp_path)
    assert [(section.pack_id, section.experiments, len(section.trials)) for section in found] == [
        ("aaaa", ["old"], 3),
        ("bbbb", ["new"], 4),
    ]
    text = text_of(report_of(tmp_path))
    assert "( pack aaaa )" in text
    assert "pack bbbb" not in text_of(report_of(tmp_path, experiment="old"))


def test_experiments_that_share_a_pack_share_a_leaderboard(tmp_path: Path):
    write_trials(tmp_path, experiment="one", trials=3)
    write_trials(tmp_path, experiment="two", trials=3)
    (section,) = sections(tmp_path)
    assert sorted(section.trials["experiment"]) == ["one"] * 3 + ["two"] * 3
    scores = section.trials["val_balanced_acc"].tolist()
    assert scores == sorted(scores, reverse=True)


def write_confirmation(storage: Path, skills: dict[str, float], seeds: int = 4, status: str = "completed") -> None:
    """Runs of configs of `exp` with new seeds, each as good as its skill says."""
    writer = ExperimentWriter(storage, "lip_dryness", "exp-confirm")
    for number, (trial, skill) in enumerate(skills.items()):
        for seed in range(1, seeds + 1):
            said, run = answers(skill, 100 * number + seed), run_of(trial, seed)
            columns = {"seed": seed, "pack_id": "f00d", "epochs": 9, "seconds": 60.0, "gpu_seconds": 60.0}
            writer.update_trial(run, status=status, started_at=now(), ended_at=now(), **columns, **scores(said))
            write_predictions(storage, "lip_dryness", "exp-confirm", run, "val", **said)
    writer.flush()
    writer.close()


@pytest.mark.parametrize("experiment", [None, "exp"])
def test_a_confirmed_champion_is_the_champion_and_its_runs_are_no_rivals(tmp_path: Path, experiment: str | None):
    write_trials(tmp_path)
    ranked = rank_trials(tmp_path)["trial_id"].tolist()
    write_confirmation(tmp_path, {ranked[0]: 0.3, ranked[1]: 0.95, ranked[2]: 0.9})
    (section,) = sections(tmp_path, experiment=experiment)
    assert section.champion is not None
    assert section.champion["trial_id"] == ranked[1]
    assert section.experiments == ["exp"]
    assert len(section.trials) == 24
    assert section.costs["exp-confirm"].trials == 12
    text = text_of(report_of(tmp_path, experiment=experiment))
    assert f"the best 3 were run again with 4 new seeds each: {ranked[1]} is champion" in text
    assert f"{ranked[2]} may be as good" in text
    assert "confirm before you decide" not in text


def write_folds(storage: Path, skills: dict[str, float], status: str = "completed") -> None:
    """A run of two folds for each config of `exp`, as good as its skill says."""
    writer = ExperimentWriter(storage, "lip_dryness", "exp-confirm-folds2")
    for number, (trial, skill) in enumerate(skills.items()):
        said = answers(skill, number)
        fold_of_subject = {subject: place % 2 for place, subject in enumerate(dict.fromkeys(said["subjects"]))}
        for fold in range(2):
            own = [row for row, subject in enumerate(said["subjects"]) if fold_of_subject[subject] == fold]
            part: dict[str, Any] = {name: [said[name][row] for row in own] for name in ("sources", "subjects")}
            part |= {name: said[name][own] for name in ("labels", "probabilities")}
            run = fold_run_of(run_of(trial, 1), fold)
            columns = {"seed": 1, "fold": fold, "folds": 2, "pack_id": "f00d", "epochs": 9, "seconds": 60.0}
            writer.update_trial(run, status=status, started_at=now(), ended_at=now(), **columns, **scores(said))
            write_predictions(storage, "lip_dryness", "exp-confirm-folds2", run, "oof", **part)
    writer.flush()
    writer.close()


@pytest.mark.parametrize("experiment", [None, "exp"])
def test_the_champion_of_folds_is_the_champion_and_outweighs_one_of_seeds_alone(tmp_path: Path, experiment: str | None):
    write_trials(tmp_path)
    ranked = rank_trials(tmp_path)["trial_id"].tolist()
    write_confirmation(tmp_path, {ranked[0]: 0.3, ranked[1]: 0.95})
    write_folds(tmp_path, {ranked[1]: 0.3, ranked[2]: 0.95})
    (section,) = sections(tmp_path, experiment=experiment)
    assert section.champion is not None
    assert section.champion["trial_id"] == ranked[2]
    assert (section.experiments, len(section.trials)) == (["exp"], 24)
    assert section.costs["exp-confirm-folds2"].trials == 4
    text = text_of(report_of(tmp_path, experiment=experiment))
    assert f"the best 2 were run again with 1 new seed each, in 2 folds: {ranked[2]} is champion" in text
    assert "into 2 folds, the same for every config" in text


def test_folds_that_are_under_way_leave_the_word_to_the_seeds(tmp_path: Path):
    write_trials(tmp_path)
    ranked = rank_trials(tmp_path)["trial_id"].tolist()
    write_confirmation(tmp_path, {ranked[0]: 0.3, ranked[1]: 0.95})
    write_folds(tmp_path, {ranked[1]: 0.3, ranked[2]: 0.95}, status="running")
    (section,) = sections(tmp_path)
    assert section.champion is not None
    assert section.champion["trial_id"] == ranked[1]


def test_a_confirmation_without_a_result_yet_is_said(tmp_path: Path):
    write_trials(tmp_path)
    ranked = rank_trials(tmp_path)["trial_id"].tolist()
    write_confirmation(tmp_path, {ranked[0]: 0.3, ranked[1]: 0.95}, status="running")
    (section,) = sections(tmp_path)
    assert section.champion is not None
    assert section.champion["trial_id"] == ranked[0]
    assert "The confirmation of exp has no result yet" in text_of(report_of(tmp_path))


def test_the_champion_is_chosen_by_the_metric_of_its_experiment(tmp_path: Path):
    write_trials(tmp_path)
    write_spec(tmp_path, "lip_dryness", "exp", metric="val_macro_f1")
    (section,) = sections(tmp_path)
    assert section.champion is not None
    assert section.champion["trial_id"] == rank_trials(tmp_path, sort="val_macro_f1")["trial_id"][0]


def test_an_experiment_without_a_finished_trial_says_so(tmp_path: Path):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "exp")
    writer.update_trial("exp-000", status="failed", epochs=0, error="out of memory", pack_id="p")
    writer.update_trial("exp-001", status="running", pack_id="p")
    writer.flush()
    writer.close()
    text = text_of(report_of(tmp_path))
    assert "No trial has finished an epoch." in text
    assert "Failed or diverged: out of memory" in text
    assert "1 trial is still running." in text
    assert "the best is" not in text
    assert "nan" not in text.lower().split()


def test_a_diverged_trial_never_wins(tmp_path: Path):
    write_trials(tmp_path, trials=6)
    best = rank_trials(tmp_path).iloc[0]["trial_id"]
    writer = ExperimentWriter(tmp_path, "lip_dryness", "exp")
    writer.update_trial(best, status="diverged", error="loss is nan", val_balanced_acc=0.999)
    writer.flush()
    writer.close()
    (section,) = sections(tmp_path)
    assert section.champion is not None
    assert section.champion["trial_id"] == rank_trials(tmp_path).iloc[0]["trial_id"] != best
    assert section.trials["trial_id"].iloc[-1] == best


def test_a_class_without_validation_images_is_a_marked_gap(tmp_path: Path):
    write_trials(tmp_path, counts=(20, 15, 0, 5))
    page = report_of(tmp_path)
    assert "No validation image is of class 2" in text_of(page)
    recall = specs_of(page)["figure-0-recall"]
    bars = next(trace for trace in recall["data"] if trace.get("xaxis") == "x2" and trace["type"] == "bar")
    assert bars["x"][2] is None
    assert [note["text"] for note in recall["layout"]["annotations"]] == ["§no_image"]


def test_a_single_subject_has_no_interval(tmp_path: Path):
    write_trials(tmp_path, subjects=1)
    text = text_of(report_of(tmp_path))
    assert "All validation images are of one subject: no interval can be given." in text
    assert "(95%" not in text


def test_a_store_of_an_older_version_has_marked_gaps(tmp_path: Path):
    write_trials(tmp_path, predictions=False)
    RunPaths(tmp_path).spec("lip_dryness", "exp").unlink()
    newer = {"split_seed", "code_version", "libraries", "hardware", "val_qwk", "val_within_one", "seed"}
    for table_name in ("trials", "epochs"):
        (file,) = RunPaths(tmp_path).partition(table_name, "lip_dryness", "exp").glob("*.parquet")
        old = pq.read_table(file)
        pq.write_table(old.drop_columns([name for name in old.column_names if name in newer]), file)
    text = text_of(report_of(tmp_path))
    assert "24 trials have no interval" in text
    assert text.count("Not in this store: it has no validation predictions of the champion") == 4
    assert "guessing gives" not in text  # nothing says how many classes there are
    assert "(95%" not in text


def test_predictions_without_device_and_training_counts_are_marked_gaps(tmp_path: Path):
    write_trials(tmp_path, trials=3)
    RunPaths(tmp_path).spec("lip_dryness", "exp").write_text('{"metric": "val_balanced_acc"}')
    for file in RunPaths(tmp_path).partition("predictions", "lip_dryness", "exp").glob("*.parquet"):
        pq.write_table(pq.read_table(file).drop_columns(["device", "angle"]), file)
    text = text_of(report_of(tmp_path))
    assert "The store does not know whom these images show" in text
    assert "How many training images each class had is not in this store." in text


def test_unknown_devices_are_a_group_of_their_own(tmp_path: Path):
    write_trials(tmp_path, trials=1)
    rows = load_predictions(tmp_path)
    rows.loc[rows.index[:10], "device"] = None
    assert {group.name: group.images for group in model_performance(rows).groups["device"].groups}[""] == 10


def test_the_only_trial_is_not_the_best_of_one(tmp_path: Path):
    write_trials(tmp_path, trials=1)
    page = report_of(tmp_path)
    assert "The only trial is exp-000: Balanced accuracy" in text_of(page)
    assert "트라이얼은 exp-000 하나입니다" in page
    assert "flatters it" not in text_of(page)
    assert "Of 1 trial" not in text_of(page)


@pytest.mark.parametrize("trials", [1, 2, 12, 30])
def test_every_figure_has_its_place_on_the_page(tmp_path: Path, trials: int):
    write_trials(tmp_path, trials=trials)
    page = report_of(tmp_path)
    places = re.findall(r'class="figure" id="([^"]+)"', page)
    assert sorted(specs_of(page)) == sorted(places)
    assert ("figure-0-importance" in places) == (trials >= FEWEST)


def test_the_command_writes_the_file_and_says_so(tmp_path: Path):
    write_trials(tmp_path / "runs", trials=2)
    out = tmp_path / "deep" / "page.html"
    done = skin_tune_here("report", "--storage", tmp_path / "runs", "--out", out)
    assert done.returncode == 0, done.stderr
    assert str(out) in done.stdout
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_what_cannot_be_reported_is_refused_in_one_line(tmp_path: Path):
    write_trials(tmp_path / "runs", trials=2)
    store = ("--storage", tmp_path / "runs")
    out = ("--out", tmp_path / "report.html")
    assert_one_line_error(skin_tune_here("report", "--storage", tmp_path / "none", *out), "no results below")
    assert_one_line_error(skin_tune_here("report", *store, *out, "--region", "chin"), "'chin'", "lip_dryness/exp")
    assert_one_line_error(skin_tune_here("report", *store, *out, "--price-per-gpu-hour", -1), "-1", "below 0")
    assert not (tmp_path / "report.html").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write to"):
        write_report(tmp_path / "runs", tmp_path / "file" / "report.html")


def test_a_store_in_a_bucket_is_reported_as_one_on_disk(bucket: Bucket, tmp_path: Path):
    for storage in (bucket.path, tmp_path):
        write_trials(storage, trials=3)
        write_refit(storage, "exp-001")
    (far,), (near,) = sections(bucket.path), sections(tmp_path)
    assert far.champion is not None
    assert near.champion is not None
    assert far.champion["trial_id"] == near.champion["trial_id"]
    assert [refit.facts["model"] for refit in far.refits] == ["exp-001-refit"]
    assert (far.train_images, far.cost, far.openings) == (near.train_images, near.cost, near.openings)
