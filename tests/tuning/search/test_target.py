"""An experiment ends once a trial reaches the target of its metric."""

import json
from pathlib import Path
from typing import Any

import pytest

from skin_tune.errors import SpaceError
from skin_tune.tuning.experiment.spec import ExperimentSpec, read_spec
from skin_tune.tuning.search.multi_region import RegionTargets
from skin_tune.tuning.search.target import first_to_reach, is_reached
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.space.sweep_file import load_space
from tests.conftest import PackMaker

METRIC = "val_balanced_acc"


def space_of(folder: Path, metric: str) -> Space:
    (folder / "space.yaml").write_text(f"method: random\nmetric: {metric}\nparameters: {{epochs: {{value: 3}}}}\n")
    return load_space(folder / "space.yaml")


@pytest.mark.parametrize(("text", "target"), [("0.8", 0.8), ("1", 1.0), ("8e-1", 0.8), ("'0.8'", 0.8)])
@pytest.mark.parametrize("name", ["val_balanced_acc", "val_macro_f1"])
def test_the_target_is_read(tmp_path: Path, name: str, text: str, target: float):
    space = space_of(tmp_path, f"{{name: {name}, goal: maximize, target: {text}}}")
    assert (space.metric, space.target) == (name, target)


def test_a_space_without_target_has_none(tmp_path: Path):
    assert space_of(tmp_path, f"{{name: {METRIC}, goal: maximize}}").target is None


BAD = {
    "{name: val_balanced_acc, goal: maximize, target: 0}": "metric.target=0 is outside (0, 1], where val_balanced_acc",
    "{name: val_macro_f1, goal: maximize, target: 80}": (
        "metric.target=80 is outside (0, 1], where val_macro_f1 lies; give a share such as 0.8"
    ),
    "{name: val_balanced_acc, goal: maximize, target: -0.5}": "metric.target=-0.5 is outside (0, 1]",
    "{name: val_balanced_acc, goal: maximize, target: high}": "metric.target='high' is not a finite number",
    "{name: val_balanced_acc, goal: maximize, target: null}": "metric.target=None is not a finite number",
    "{name: val_balanced_acc, goal: maximize, target: true}": "metric.target=True is not a finite number",
    "{name: val_balanced_acc, goal: maximize, target: .nan}": "metric.target=nan is not a finite number",
    "{name: val_balanced_acc, goal: maximize, target: .inf}": "metric.target=inf is not a finite number",
    "{name: val_balanced_acc, goal: maximize, target: 0_1}": "metric.target=0_1 (in YAML 1) is not a finite number",
    "{name: val_balanced_acc, goal: maximize, target: [0.8]}": "metric.target=[0.8] is not a finite number",
    "{name: val_balanced_acc, goal: maximize, taget: 0.8}": "metric.taget is not a key used here; did you mean",
    "{name: val_balanced_acc, goal: minimize, target: 0.8}": "metric.goal='minimize' is not maximize",
    "{name: val_balanced_acc, target: 0.8}": "metric.goal is missing, which wandb takes for minimize",
}


@pytest.mark.parametrize("metric", BAD, ids=BAD)
def test_a_target_that_cannot_be_is_refused_in_one_line(tmp_path: Path, metric: str):
    with pytest.raises(SpaceError) as caught:
        space_of(tmp_path, metric)
    assert str(caught.value).startswith(f"{tmp_path / 'space.yaml'}: ")
    assert BAD[metric] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "reached"), [(0.8, True), (0.81, True), ((2 / 3 + 11 / 15 + 1) / 3, True), (0.799, False)]
)
def test_a_value_at_the_target_reaches_it(value: float, reached: bool):
    assert is_reached(value, 0.8) is reached


@pytest.mark.parametrize("value", [None, float("nan"), 0.0])
def test_what_is_missing_reaches_nothing(value: float | None):
    assert not is_reached(value, 0.1)
    assert not is_reached(1.0, None)


def row(trial_id: str, status: str = "completed") -> dict[str, Any]:
    return {"trial_id": trial_id, "status": status, METRIC: 0.9}


def epochs(trial_id: str, *values: float | None) -> list[dict[str, Any]]:
    return [{"trial_id": trial_id, "epoch": epoch, METRIC: value} for epoch, value in enumerate(values, 1)]


def test_the_trial_that_took_the_fewest_epochs_is_told():
    trials = [row("exp-000"), row("exp-001", "stopped_early"), row("exp-002")]
    history = [*epochs("exp-000", 0.1, None, 0.7, 0.8), *epochs("exp-001", 0.5, 0.85, 0.2), *epochs("exp-002", 0.7)]
    reached = first_to_reach(trials, history, METRIC, 0.8)
    assert str(reached) == "target val_balanced_acc 0.8 reached by exp-001 in epoch 2"
    assert first_to_reach(trials, history, METRIC, 0.9) is None
    assert first_to_reach(trials, history, METRIC, None) is None
    assert first_to_reach([], [], METRIC, 0.8) is None


def test_a_trial_that_cannot_win_has_not_reached_the_target():
    trials = [row("exp-000", "diverged"), row("exp-001", "failed")]
    assert first_to_reach(trials, [*epochs("exp-000", 0.9), *epochs("exp-001", 0.9)], METRIC, 0.8) is None


def result(region: str, value: float, **more: Any) -> dict[str, Any]:
    return {"config": {"region": region}, METRIC: value, **more}


def test_each_region_ends_on_its_own_and_the_run_with_the_last(tmp_path: Path):
    space = space_of(tmp_path, f"{{name: {METRIC}, goal: maximize, target: 0.8}}")
    targets = RegionTargets({"lip_dryness": space, "chin_sagging": space}, {})
    assert not targets("a", result("lip_dryness", 0.79))
    assert not targets("a", result("lip_dryness", 0.9, status="diverged"))
    assert targets("b", result("lip_dryness", 0.8))
    assert targets("a", result("lip_dryness", 0.1)), "the others of an experiment that has ended stop, too"
    assert not targets("c", result("chin_sagging", 0.1))
    assert [targets.has_ended(region) for region in ("lip_dryness", "chin_sagging")] == [True, False]
    assert not targets.stop_all()
    assert targets("c", result("chin_sagging", 1.0))
    assert targets.stop_all()


def test_without_a_target_nothing_ends(tmp_path: Path):
    targets = RegionTargets({"lip_dryness": space_of(tmp_path, f"{{name: {METRIC}, goal: maximize}}")}, {})
    assert not targets("a", result("lip_dryness", 1.0))
    assert not targets.stop_all()


def test_what_an_experiment_was_started_with_holds_the_target_and_older_files_open(
    make_pack: PackMaker, tmp_path: Path
):
    spaces = [space_of(tmp_path, f"{{name: {METRIC}, goal: maximize, target: {target}}}") for target in (0.7, 0.8)]
    before, after = (ExperimentSpec.of(make_pack(), space, 0, 4, ()) for space in spaces)
    assert after.changes(before) == [], "another target makes no other trials"
    before.write(tmp_path / "asked.json")
    assert read_spec(tmp_path / "asked.json").target == 0.7
    older = json.loads((tmp_path / "asked.json").read_text())
    del older["target"]
    (tmp_path / "asked.json").write_text(json.dumps(older))
    assert read_spec(tmp_path / "asked.json").target is None
