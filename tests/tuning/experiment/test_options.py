"""The name of an experiment is enough to resume it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skin_tune.cli.options import TuneOptions
from skin_tune.cli.tuning_commands import tune_request
from skin_tune.errors import SkinTuneError
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.experiment.plan import Plan, make_plan
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker
from tests.local import local

SPACE = """
method: bayes
metric: {name: val_macro_f1, goal: maximize, target: 0.9}
early_terminate: {type: hyperband, min_iter: 2, eta: 2}
run_cap: 9
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
  gamma: {values: [0.5, 1.0], probabilities: [0.25, 0.75], distribution: categorical_w_probabilities}
  dropout_prob: {distribution: q_uniform, min: 0.0, max: 0.5, q: 0.25}
  image_size: {value: 32}
  batch_size: {value: 16}
  backbone: {value: resnet50}
"""
BEGUN: dict[str, Any] = {
    "trials": 5,
    "seed": 3,
    "concurrent": 2,
    "cpus_per_trial": 1,
    "gpu_hours": 7.5,
    "image_budget": 2000000,
    "until": "settled",
    "time_budget": "90s",
    "max_failures": 1,
    "keep_checkpoints": 2,
    "wandb": "offline",
    "tensorboard": True,
}


@pytest.fixture
def begun(make_pack: PackMaker, tmp_path: Path) -> Plan:
    """An experiment as it is noted when it begins."""
    (tmp_path / "space.yaml").write_text(SPACE)
    options = TuneOptions(space=tmp_path / "space.yaml", name="exp", storage=tmp_path / "runs", **BEGUN)
    plan = make_plan(tune_request(make_pack().path, "lip_dryness", ["epochs=4", "backbone=resnet18"], options))
    plan.spec.write(plan.spec_file)
    return plan


def resumed(tmp_path: Path, *overrides: str, pack: Path | None = None, **typed: Any) -> Plan:
    options = TuneOptions(name="exp", storage=tmp_path / "runs", resume=True, **typed)
    return make_plan(tune_request(pack, None, list(overrides), options))


def test_space_overrides_flags_and_pack_are_those_it_began_with(begun: Plan, tmp_path: Path):
    (tmp_path / "space.yaml").unlink()
    plan = resumed(tmp_path)
    assert plan.space == begun.space
    assert plan.pack.info == begun.pack.info
    assert plan.trials == 5
    assert plan.request == replace(begun.request, space=begun.space, warm_start=[], resume=True)
    assert not begun.spec.changes(plan.spec)


def test_event_files_are_written_until_they_are_turned_off(begun: Plan, tmp_path: Path):
    assert resumed(tmp_path).request.tensorboard is True
    assert resumed(tmp_path, tensorboard=False).request.tensorboard is False


def test_what_may_differ_is_taken_and_holds_from_then_on(begun: Plan, tmp_path: Path):
    plan = resumed(tmp_path, trials=8, gpu_hours=9.0, time_budget="2h")
    assert (plan.trials, plan.request.gpu_hours, plan.request.time_budget) == (8, 9.0, 7200.0)
    assert plan.request.concurrent == 2
    plan.spec.write(plan.spec_file)
    assert resumed(tmp_path).trials == 8


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        ({"gpu_seconds": 7.5 * 3600}, "--gpu-hours 7.5: experiment 'exp' has spent 7.5 already"),
        ({"images": 2000064}, "--image-budget 2000000: experiment 'exp' has spent 2000064 already"),
    ],
)
def test_a_budget_that_is_spent_is_to_be_raised(spent: dict[str, float], said: str, begun: Plan, tmp_path: Path):
    writer = ExperimentWriter(tmp_path / "runs", "lip_dryness", "exp")
    row = {"epochs": 1, "config/epochs": 4, **spent, "ended_at": None}
    writer.update_trial("exp-000", status="interrupted", **row)
    writer.flush()
    writer.close()
    done = skin_tune_here("tune", "--name", "exp", "--storage", tmp_path / "runs", "--resume")
    assert_one_line_error(done, said)


@pytest.mark.parametrize(
    ("overrides", "typed", "said"),
    [
        (["epochs=9"], {}, "epochs was 4, is 9"),
        (["learning_rate=0.001"], {}, "learning_rate was log_uniform_values"),
        (["smoothing=0.2"], {}, "smoothing was not in the space, is 0.2"),
        ([], {"seed": 4}, "seed was 3, is 4"),
        ([], {"warm_start": ["cheek_pore"]}, "warm start was none, is cheek_pore"),
    ],
)
def test_what_must_not_differ_is_refused(
    overrides: list[str], typed: dict[str, Any], said: str, begun: Plan, tmp_path: Path
):
    from skin_tune.tuning.experiment import plan

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plan, "check_siblings", lambda *arguments: None)
        with pytest.raises(SkinTuneError, match=said):
            resumed(tmp_path, *overrides, **typed)


def test_what_is_typed_again_the_same_is_no_difference(begun: Plan, tmp_path: Path):
    plan = resumed(tmp_path, "epochs=4", pack=local(begun.pack.path), space=tmp_path / "space.yaml", seed=3)
    assert plan.space == begun.space


def test_an_experiment_of_an_older_version_is_told_what_to_give(begun: Plan, tmp_path: Path):
    noted = json.loads(begun.spec_file.read_text())
    del noted["noted"]
    begun.spec_file.write_text(json.dumps(noted))
    where = ("tune", "--name", "exp", "--storage", tmp_path / "runs", "--resume")
    assert_one_line_error(skin_tune_here(*where), "image_size=224", "older version", "--space", "name=value")
    assert_one_line_error(skin_tune_here(*where, "image_size=16"), "cannot be resumed", "older version", "--space")
    plan = resumed(tmp_path, "epochs=4", "backbone=resnet18", space=tmp_path / "space.yaml")
    assert (plan.trials, plan.request.seed) == (5, 3)


def test_a_name_that_does_not_say_which_is_asked_about(begun: Plan, make_pack: PackMaker, tmp_path: Path):
    where = ("tune", "--storage", tmp_path / "runs", "--resume")
    assert_one_line_error(skin_tune_here(*where, "--name", "none"), "'none'", "to --resume")
    assert_one_line_error(skin_tune_here(*where), "PACK", "--name", "--resume")
    assert_one_line_error(skin_tune_here("tune", "epochs=3"), "PACK", "--name", "--resume")
    other = make_pack(name="other", region="chin_sagging")
    options = TuneOptions(space=tmp_path / "space.yaml", name="exp", storage=tmp_path / "runs")
    plan = make_plan(tune_request(other.path, "chin_sagging", None, options))
    plan.spec.write(plan.spec_file)
    assert_one_line_error(skin_tune_here(*where, "--name", "exp"), "chin_sagging, lip_dryness", "PACK")
    again = tune_request(other.path, "chin_sagging", None, replace(options, resume=True))
    assert make_plan(again).region == "chin_sagging"
