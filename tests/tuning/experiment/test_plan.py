"""A request is checked against its pack, its storage and what is stored there, before anything starts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skin_tune.errors import ConfigError, ExperimentError, SkinTuneError
from skin_tune.tuning.experiment.plan import DEFAULT_TRIALS, Plan, make_plan
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.spec import read_spec
from skin_tune.tuning.search.target import Reached
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL, trial_row, write_experiment

SEARCH = "learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}"
GRID = "learning_rate: {values: [1.0e-3, 1.0e-4]}\n  gamma: {values: [0.5, 1.0, 2.0]}"


@pytest.fixture
def request_of(make_pack: PackMaker, tmp_path: Path) -> Any:
    """A request for a small pack: the space's parameters, its method and other top-level lines, fields."""
    pack = make_pack()

    def request(parameters: str = SEARCH, top: str = "method: random", **options: Any) -> TuneRequest:
        (tmp_path / "space.yaml").write_text(f"{top}\nparameters:\n  {parameters}\n")
        overrides = {**SMALL, **options.pop("overrides", {})}
        where = {"name": "exp", "storage": tmp_path / "runs", **options}
        return TuneRequest(pack.path, tmp_path / "space.yaml", overrides, **where)

    return request


@pytest.mark.parametrize(
    ("parameters", "top", "asked", "trials"),
    [
        (SEARCH, "method: random", None, DEFAULT_TRIALS),
        (SEARCH, "method: random\nrun_cap: 7", None, 7),
        (SEARCH, "method: random\nrun_cap: 7", 9, 9),
        (GRID, "method: grid", None, 6),
        (GRID, "method: grid", 4, 4),
        (GRID, "method: grid", 99, 6),
    ],
)
def test_trials_are_those_asked_for_and_a_grid_has_no_more_than_it_has(
    request_of: Any, parameters: str, top: str, asked: int | None, trials: int
):
    plan = make_plan(request_of(parameters, top, trials=asked))
    assert (plan.trials, plan.to_run) == (trials, trials)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_size": 64}, "image_size=64 is larger than the pack's 32"),
        ({"batch_size": 43}, "batch_size=43 is larger than the training set of 42 images"),
        ({"dropout_prob": 1.0}, "dropout_prob=1.0"),
        ({"backbone": "resnet9"}, "resnet9"),
        ({"backbone": "timm/test_vitt"}, "none of timm's networks; did you mean timm/test_vit"),
        ({"backbone": "timm/test_vit", "image_size": 20}, "image_size=20 does not fit timm/test_vit"),
    ],
)
def test_what_every_trial_would_fail_on_is_refused(request_of: Any, changes: dict[str, Any], said: str):
    with pytest.raises(SkinTuneError, match=said):
        make_plan(request_of(overrides=changes))


def test_what_only_some_trials_would_fail_on_is_left_to_them(request_of: Any):
    request = request_of("image_size: {values: [16, 64]}\n  batch_size: {values: [16, 400]}")
    overrides = {name: value for name, value in SMALL.items() if name not in ("image_size", "batch_size")}
    assert make_plan(replace(request, overrides=overrides)).trials == DEFAULT_TRIALS
    with pytest.raises(ConfigError, match="batch_size=16 is below 4 images for each of 5 workers"):
        make_plan(replace(request, overrides=overrides, workers_per_trial=5))


def test_a_name_that_is_taken_needs_resume_and_resume_needs_the_name(
    request_of: Any, make_pack: PackMaker, tmp_path: Path
):
    with pytest.raises(ExperimentError, match=r"there is no experiment 'exp' of lip_dryness .* to --resume"):
        make_plan(request_of(resume=True))
    plan = make_plan(request_of())
    plan.spec.write(plan.spec_file)
    with pytest.raises(ExperimentError, match=r"'exp' of lip_dryness already exists .* resume it with --resume"):
        make_plan(request_of())
    assert make_plan(request_of(resume=True)).name == "exp"
    pack = make_pack()
    write_experiment(tmp_path / "runs", pack, {"old-000": trial_row(pack, 0.5)}, name="old")
    (tmp_path / "runs" / "experiments" / "lip_dryness" / "old" / "asked.json").unlink()
    with pytest.raises(ExperimentError, match="'old' of lip_dryness already exists"):  # its rows are in the store
        make_plan(request_of(name="old"))


def test_an_experiment_is_resumed_only_with_what_makes_the_same_trials(request_of: Any):
    plan = make_plan(request_of())
    plan.spec.write(plan.spec_file)
    with pytest.raises(ExperimentError, match=r"would not compare: seed was 0, is 1; --resume it with what it was"):
        make_plan(request_of(seed=1, resume=True))
    with pytest.raises(ExperimentError, match="epochs was 2, is 3"):
        make_plan(request_of(overrides={"epochs": 3}, resume=True))
    assert make_plan(request_of(trials=5, concurrent=3, resume=True)).trials == 5


def test_a_spec_says_the_same_once_it_was_written_and_read_back(request_of: Any):
    plan = make_plan(request_of(GRID, "method: grid"))
    plan.spec.write(plan.spec_file)
    stored = read_spec(plan.spec_file)
    assert not stored.changes(plan.spec)
    assert (stored.pack, stored.pack_id, stored.trials) == (str(plan.pack.path), plan.pack.info.pack_id, 6)
    assert stored.counts == plan.pack.info.counts


def test_what_is_left_to_run_are_trials_not_started_and_trials_not_finished(request_of: Any):
    plan: Plan = make_plan(request_of(trials=6))
    started = [f"exp-{number:03d}" for number in range(4)]
    assert replace(plan, started_ids=started).to_run == 2
    assert replace(plan, started_ids=started, unfinished=[{"trial_id": "exp-001"}]).to_run == 3
    assert replace(plan, started_ids=[*started, "exp-004", "exp-005", "exp-006"]).to_run == 0
    assert replace(plan, reached=Reached("val_balanced_acc", 0.9, "exp-001", 2)).to_run == 0


def test_a_message_tells_how_to_resume_what_was_started(request_of: Any):
    plan = make_plan(request_of())
    assert plan.how_to_resume == "--name exp --resume resumes it"
    assert replace(plan, configs=[{"trial_id": "exp-000"}]).how_to_resume == "the same command resumes it"
