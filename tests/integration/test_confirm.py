"""The best configs of an experiment, run again with new seeds."""

from pathlib import Path

import pandas as pd
import pytest

from skin_tune.data.pack.format import open_pack
from skin_tune.results import load_epochs, load_predictions, load_trials
from skin_tune.results.store.writer import ExperimentWriter
from tests.cli_runner import ONE_PROCESS, assert_one_line_error, skin_tune_here
from tests.conftest import write_synthetic_pack

SPACE = """
method: grid
parameters:
  learning_rate: {values: [1.0e-2, 1.0e-12, 3.0e-2]}
  backbone: {value: timm/test_resnet}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 16}
  oversample: {value: none}
  warmup_epochs: {value: 0}
  epochs: {value: 2}
"""


@pytest.fixture(scope="module")
def tuned(shared_cluster: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confirm")
    pack = write_synthetic_pack(folder / "pack.arrow")
    (folder / "space.yaml").write_text(SPACE)
    done = skin_tune_here(
        "tune", pack.path, "--space", folder / "space.yaml", "--storage", folder / "runs", "--name", "exp", *ONE_PROCESS
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_best_configs_are_run_with_the_same_new_seeds_and_one_is_named(tuned: Path):
    storage = tuned / "runs"
    searched = load_trials(storage, experiment="exp").sort_values("val_balanced_acc", ascending=False)
    best = searched["trial_id"].tolist()[:2]
    command = ("confirm", "exp", "--top", 2, "--storage", storage, *ONE_PROCESS)
    done = skin_tune_here(*command, "--seeds", 2)
    assert done.returncode == 0, done.stderr
    runs = load_trials(storage, experiment="exp-confirm")
    assert sorted(runs["trial_id"]) == sorted(f"{trial}-seed{seed}" for trial in best for seed in (1, 2))
    assert runs["config/seed"].tolist() == runs["seed"].tolist()
    for trial in best:
        of_trial = runs[runs["trial_id"].str.startswith(trial)]
        assert sorted(of_trial["seed"]) == [1, 2]
        rate = searched.set_index("trial_id")["config/learning_rate"][trial]
        assert set(of_trial["config/learning_rate"]) == {rate}
    assert set(runs["status"]) == {"completed"}
    assert "champion" in done.stdout
    assert "skin-tune refit exp --trial exp-" in done.stdout

    more = skin_tune_here(*command, "--seeds", 3)
    assert more.returncode == 0, more.stderr
    grown = load_trials(storage, experiment="exp-confirm").set_index("trial_id")
    assert len(grown) == 6
    again = runs.set_index("trial_id")["ended_at"]
    assert (grown["ended_at"][again.index] == again).all(), "what had been run was not run again"
    assert len(load_epochs(storage, experiment="exp-confirm")) == 12


def test_folds_have_everybody_of_train_and_val_judge(tuned: Path):
    storage, pack = tuned / "runs", open_pack(tuned / "pack.arrow")
    command = ("confirm", "exp", "--seeds", 1, "--folds", 3, "--storage", storage, *ONE_PROCESS)
    done = skin_tune_here(*command, "--top", 2)
    assert done.returncode == 0, done.stderr
    runs = load_trials(storage, experiment="exp-confirm-folds3").set_index("trial_id")
    assert len(runs) == 6
    assert set(runs["status"]) == {"completed"}
    assert set(runs["best_epoch"]) == {2}
    said = load_predictions(storage, experiment="exp-confirm-folds3")
    everybody = sorted(pack.subjects[pack.indices("train", "val")])
    assert set(said["split"]) == {"oof"}
    for trial in {name.rpartition("-fold")[0] for name in runs.index}:
        assert sorted(said.loc[said["trial_id"].str.startswith(trial), "subject"]) == everybody
    assert runs["fold"].tolist() == [int(name[-1]) for name in runs.index]
    judged = {run: set(of["subject"]) for run, of in said.groupby("trial_id")}
    assert len({frozenset(people) for people in judged.values()}) == 3, "the same folds for both configs"
    words = " ".join(done.stdout.split())
    assert "x 3 folds" in words
    assert f"--include-val --storage {storage}" in words

    second = runs.index[-1]
    writer = ExperimentWriter(storage, "lip_dryness", "exp-confirm-folds3")
    writer.update_trial(second, status="interrupted", ended_at=None)
    writer.flush()
    writer.close()
    again = skin_tune_here(*command, "--top", 1)  # which does not ask for the run of the second config
    assert again.returncode == 0, again.stderr
    assert set(load_trials(storage, experiment="exp-confirm-folds3")["status"]) == {"completed"}
    now = load_predictions(storage, experiment="exp-confirm-folds3")
    pd.testing.assert_frame_equal(now, said)


def test_what_cannot_be_confirmed_is_refused_in_one_line(tuned: Path):
    common = ("--storage", tuned / "runs")
    assert_one_line_error(skin_tune_here("confirm", "none", *common), "'none'", "lip_dryness/exp")
    assert_one_line_error(skin_tune_here("confirm", "exp", *common, "--top", 0), "--top 0", "below 1")
    assert_one_line_error(skin_tune_here("confirm", "exp", *common, "--seeds", 0), "--seeds 0", "below 1")
    assert_one_line_error(skin_tune_here("confirm", "exp", *common, "--wandb", "on"), "--wandb 'on'")
    assert_one_line_error(skin_tune_here("confirm", "exp", *common, "--folds", 1), "--folds 1", "below 2")
    assert_one_line_error(skin_tune_here("confirm", "exp", *common, "--folds", 99), "--folds 99 leaves a fold")
