"""An experiment is found by its name, with its trials in the order of its own metric."""

from pathlib import Path

import pytest

from skin_tune.errors import ExperimentError, PackError, StoreError
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.experiment.lookup import find_experiment
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import trial_row, write_experiment


def test_trials_come_best_first_by_the_metric_that_the_experiment_was_started_with(
    make_pack: PackMaker, tmp_path: Path
):
    pack = make_pack()
    rows = {"exp-000": trial_row(pack, 0.9), "exp-001": trial_row(pack, 0.2), "exp-002": trial_row(pack, 0.5)}
    write_experiment(tmp_path / "runs", pack, rows, metric="val_macro_f1")  # which is 1 less the other one here
    found = find_experiment(tmp_path / "runs", "exp")
    assert (found.region, found.metric) == (pack.info.region, "val_macro_f1")
    assert found.usable()["trial_id"].tolist() == ["exp-001", "exp-002", "exp-000"]
    assert found.open_pack(found.trials.iloc[0].to_dict()).info == pack.info


def test_trials_that_diverged_failed_or_ran_no_epoch_are_not_usable(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack()
    useless = {
        "exp-000": trial_row(pack, 0.9, "diverged"),
        "exp-001": trial_row(pack, 0.8, "failed"),
        "exp-002": trial_row(pack, None, "interrupted"),
    }
    write_experiment(tmp_path, pack, {**useless, "exp-003": trial_row(pack, 0.1)})
    found = find_experiment(tmp_path, "exp")
    assert found.usable()["trial_id"].tolist() == ["exp-003"]
    assert len(found.trials) == 4
    write_experiment(tmp_path, pack, useless, name="none")
    with pytest.raises(ExperimentError, match="every trial of 'none' diverged, failed or ran no epoch"):
        find_experiment(tmp_path, "none").usable()


def test_a_name_that_two_regions_have_needs_the_region(make_pack: PackMaker, tmp_path: Path):
    for region in ("lip_dryness", "chin_sagging"):
        pack = make_pack(name=region, region=region)
        write_experiment(tmp_path, pack, {"exp-000": trial_row(pack, 0.5)})
    with pytest.raises(ExperimentError, match="chin_sagging, lip_dryness have an experiment 'exp' each; give --region"):
        find_experiment(tmp_path, "exp")
    found = find_experiment(tmp_path, "exp", "chin_sagging")
    assert (found.region, found.pack_file) == ("chin_sagging", tmp_path / "chin_sagging.arrow")
    with pytest.raises((ExperimentError, StoreError), match="'other'"):
        find_experiment(tmp_path, "other")


def test_an_experiment_that_does_not_say_where_its_pack_is_needs_it(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack()
    write_experiment(tmp_path, pack, {"exp-000": trial_row(pack, 0.5)}, metric="val_macro_f1")
    RunPaths(tmp_path).spec(pack.info.region, "exp").unlink()
    with pytest.raises(ExperimentError, match="'exp' does not say where its pack is; give --pack"):
        find_experiment(tmp_path, "exp")
    found = find_experiment(tmp_path, "exp", pack=pack.path)
    assert (found.pack_file, found.metric) == (pack.path, "val_balanced_acc")


def test_another_pack_in_the_place_of_the_experiment_s_is_refused(make_pack: PackMaker, tmp_path: Path):
    pack, other = make_pack(), make_pack(name="other", seed=1)
    write_experiment(tmp_path, pack, {"exp-000": trial_row(pack, 0.5)})
    row = {"trial_id": "exp-000", "pack_id": pack.info.pack_id}
    found = find_experiment(tmp_path, "exp", pack=other.path)
    with pytest.raises(PackError) as refused:
        found.open_pack(row)
    assert other.info.pack_id in str(refused.value)
    assert f"exp-000 is of {pack.info.pack_id}" in str(refused.value)
