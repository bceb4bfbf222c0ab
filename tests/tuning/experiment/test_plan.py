"""A request is checked against its pack, its storage and what is stored there, before anything starts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skin_tune.errors import ConfigError, ExperimentError, SkinTuneError
from skin_tune.tuning.experiment.options import FLAGS, noted_space, tune_request
from skin_tune.tuning.experiment.plan import Plan, make_plan
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.spec import read_spec
from skin_tune.tuning.experiment.trial_count import DEFAULT_TRIALS
from skin_tune.tuning.search.target import Reached
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL, trial_row, write_experiment

SEARCH = "learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}"
GRID = "learning_rate: {values: [1.0e-3, 1.0e-4]}\n  dropout_prob: {values: [0.1, 0.2, 0.4]}"


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


OPEN = {name: value for name, value in SMALL.items() if name not in ("image_size", "batch_size")}
"""Overrides that leave the space what the pack limits."""


def test_values_that_cannot_work_leave_the_space_in_one_line_each(request_of: Any, capsys: pytest.CaptureFixture[str]):
    request = request_of("image_size: {values: [16, 64, 24]}\n  batch_size: {min: 8, max: 400}")
    plan = make_plan(replace(request, overrides=OPEN))
    image_size, batch_size = plan.space.parameters[:2]
    assert image_size.values == (16, 24)
    assert (batch_size.at(0.0), batch_size.at(1.0)) == (8, 42)
    assert capsys.readouterr().err.splitlines() == [
        "lip_dryness: image_size=64 cannot work and is not searched: crops of the pack have 32 px",
        "lip_dryness: batch_size is searched up to 42, not 400: the training set has 42 images",
    ]
    with pytest.raises(ConfigError, match="batch_size=16 is below 4 images for each of 5 workers"):
        make_plan(
            replace(
                request_of("batch_size: {values: [16, 400]}"), overrides=OPEN | {"image_size": 16}, workers_per_trial=5
            )
        )


def test_batches_are_no_larger_than_an_epoch(request_of: Any):
    request = request_of("batch_size: {values: [8, 16, 32]}\n  epoch_images: {values: [10, 20]}")
    assert make_plan(replace(request, overrides=OPEN | {"image_size": 16})).space.parameters[0].values == (8, 16)


def test_a_grid_is_counted_without_what_cannot_work(request_of: Any):
    request = request_of("batch_size: {values: [8, 16, 400]}", "method: grid")
    assert make_plan(replace(request, overrides=OPEN | {"image_size": 16})).trials == 2


def test_an_experiment_goes_on_with_the_space_and_rungs_it_was_started_with(request_of: Any, tmp_path: Path):
    top = "method: random\nearly_terminate: {type: hyperband, min_iter: 1}"
    request = replace(
        request_of("batch_size: {values: [8, 400]}", top),
        overrides=OPEN | {"image_size": 16, "warmup_epochs": 1, "epochs": 9},
    )
    plan = make_plan(request)
    plan.spec.write(plan.spec_file)
    assert make_plan(replace(request, resume=True)).space == plan.space
    assert (plan.space.early_terminate.after, plan.space.defaults_first) == (1, True)

    old = json.loads(
        plan.spec_file.read_text()
    )  # as a version wrote it that neither shortened a space nor knew a warm-up
    old["space"]["batch_size"] = "one of 8, 400"
    noted = old["noted"]["space"]
    noted["parameters"][0] |= {"distribution": "categorical", "values": [8, 400]}
    del noted["defaults_first"], noted["early_terminate"]["after"]
    plan.spec_file.write_text(json.dumps(old))
    for typed in (request, replace(request, space=noted_space(noted))):
        resumed = make_plan(replace(typed, resume=True)).space
        assert resumed.parameters[0].values == (8, 400)
        assert (resumed.early_terminate.after, resumed.defaults_first) == (0, False)


def test_networks_from_random_weights_are_searched_where_their_learning_rates_are(
    make_pack: PackMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    options = dict.fromkeys(FLAGS) | {"name": "exp", "storage": tmp_path / "runs", "space": None, "resume": False}
    pack, small = make_pack().path, {name: value for name, value in SMALL.items() if name != "weights"}
    plan = make_plan(tune_request(pack, "lip_dryness", {**small, "weights": "none"}, options))
    assert plan.request.space.name == "scratch.yaml"
    assert "the weights start at random: searching scratch.yaml" in capsys.readouterr().err
    for weights in ({}, {"weights": "imagenet"}):
        assert tune_request(pack, "lip_dryness", small | weights, options).space.name == "default.yaml"
    given = options | {"space": Path("search_spaces/default.yaml")}
    assert tune_request(pack, "lip_dryness", small | {"weights": "none"}, given).space.name == "default.yaml"


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


def test_what_the_space_leaves_open_is_resumed_as_it_was_though_the_default_is_another_now(request_of: Any):
    plan = make_plan(request_of())
    replace(plan, defaults={**plan.defaults, "smoothing": 0.05}).spec.write(plan.spec_file)
    resumed = make_plan(request_of(resume=True))
    assert resumed.defaults["smoothing"] == 0.05
    assert resumed.spec.defaults == read_spec(plan.spec_file).defaults
    with pytest.raises(ExperimentError, match=r"smoothing was not in the space, is 0\.1"):
        make_plan(request_of(resume=True, overrides={"smoothing": 0.1}))


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


@pytest.mark.parametrize(
    ("parameters", "overrides", "told"),
    [
        ("gamma: {values: [1, 2]}", {}, "gamma does nothing with train_loss=ce"),
        ("learning_rate: {min: 0.001, max: 0.01}", {"beta": 0.9}, "beta does nothing with train_loss=ce"),
        ("gamma: {values: [1, 2]}\n  train_loss: {values: [ce, focal]}", {"beta": 0.9}, "beta does nothing with"),
        ("gamma: {values: [1, 2]}\n  train_loss: {values: [ce, focal]}", {}, ""),
        (
            "freeze_epochs: {min: 20, max: 30}\n  layer_decay: {values: [0.5, 0.9]}",
            {"epochs": 9},
            "layer_decay does nothing with freeze_epochs=20 to 30, epochs=9",
        ),
    ],
)
def test_what_is_searched_or_given_and_does_nothing_is_told(
    request_of: Any, parameters: str, overrides: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
):
    make_plan(request_of(parameters, overrides=overrides))
    lines = capsys.readouterr().err
    assert told in lines
    assert ("nothing" in lines) == bool(told)
