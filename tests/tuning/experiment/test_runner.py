"""An experiment from request to ranked trials, as far as no cluster is needed."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skin_tune.data.pack.uses import uses_of
from skin_tune.errors import AllTrialsFailedError, PackError, SkinTuneError
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.show.experiments import print_outcome
from skin_tune.tuning.experiment.plan import make_plan
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.runner import Outcome, ranked, run_experiment, run_experiments
from tests.conftest import PackMaker
from tests.local import local
from tests.tuning.stored_experiment import SMALL, trial_row, write_experiment

SPACE = "method: random\nparameters:\n  learning_rate: {values: [1.0e-3, 1.0e-4]}\n"
MakeRequest = Callable[..., TuneRequest]


@pytest.fixture
def request_of(make_pack: PackMaker, tmp_path: Path) -> MakeRequest:
    pack = make_pack()
    (tmp_path / "space.yaml").write_text(SPACE)

    def request(**changes: Any) -> TuneRequest:
        overrides = {**SMALL, **changes.pop("overrides", {})}
        where = {"name": "exp", "storage": tmp_path / "runs", "trials": 2, "wandb": "disabled", **changes}
        return TuneRequest(pack.path, tmp_path / "space.yaml", overrides, **where)

    return request


def write_ended(request: TuneRequest, *rows: dict[str, Any]) -> None:
    """The experiment of `request` with all of its trials over."""
    plan = make_plan(request)
    rows_by_id = {f"exp-{number:03d}": row for number, row in enumerate(rows)}
    write_experiment(local(plan.paths.storage), plan.pack, rows_by_id)
    plan.spec.write(plan.spec_file)


def test_a_diverged_trial_never_wins():
    rows: list[dict[str, Any]] = [
        {"trial_id": "a", "status": "diverged", "val_balanced_acc": 0.9},
        {"trial_id": "b", "status": "completed", "val_balanced_acc": 0.3},
        {"trial_id": "c", "status": "stopped_early", "val_balanced_acc": 0.4},
        {"trial_id": "d", "status": "failed"},
    ]
    assert [row["trial_id"] for row in ranked(rows, "val_balanced_acc")] == ["c", "b", "a", "d"]


@pytest.mark.parametrize(
    ("variable", "value", "weights"),
    [
        ("RAY_ADDRESS", "nowhere", "none"),
        ("TUNE_MAX_PENDING_TRIALS_PG", "many", "none"),
        ("", "", "weights.pth"),
    ],
)
def test_what_cannot_start_leaves_its_name_free(
    variable: str, value: str, weights: str, request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if variable:
        monkeypatch.setenv(variable, value)
    (tmp_path / "weights.pth").write_bytes(b"no weights")
    path = weights if weights == "none" else str(tmp_path / weights)
    with pytest.raises(SkinTuneError, match=value or "weights.pth"):
        run_experiment(request_of(overrides={"weights": path}))
    assert not (tmp_path / "runs").exists()
    plan = make_plan(request_of())
    assert plan.to_run == 2
    assert uses_of(plan.pack.path, plan.region, plan.pack.info.pack_id) == []


def test_a_failed_resume_leaves_what_was_there(
    request_of: MakeRequest, make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pack = make_pack()
    write_ended(request_of(), trial_row(pack, 0.5), trial_row(pack, 0.6))
    kept = {path: path.read_bytes() for path in (tmp_path / "runs" / "results").rglob("*.parquet")}
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(SkinTuneError, match="RAY_ADDRESS='nowhere'"):
        run_experiment(request_of(trials=3, resume=True))
    assert {path: path.read_bytes() for path in kept} == kept
    assert make_plan(request_of(resume=True)).name == "exp"


def test_one_that_cannot_run_does_not_stop_the_others_and_what_is_complete_runs_nothing(
    request_of: MakeRequest, make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pack = make_pack()
    write_ended(request_of(), trial_row(pack, 0.3), trial_row(pack, 0.6))
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")  # nothing is to start Ray
    (tmp_path / "broken.arrow").write_bytes(b"no pack")
    broken = TuneRequest(tmp_path / "broken.arrow", tmp_path / "space.yaml", storage=tmp_path / "runs")
    error, outcome = run_experiments([broken, request_of(resume=True)])
    assert isinstance(error, PackError)
    assert isinstance(outcome, Outcome)
    assert [row["trial_id"] for row in outcome.rows] == ["exp-001", "exp-000"]
    assert (outcome.seconds, outcome.ended_here, outcome.interrupted) == (None, 0, [])
    assert outcome.searched == ["learning_rate"]


def test_best_trials_at_a_bound_of_the_space_are_told(
    request_of: MakeRequest, make_pack: PackMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pack = make_pack()
    request = request_of(trials=4)
    (tmp_path / "space.yaml").write_text("method: random\nparameters: {learning_rate: {min: 0.0001, max: 0.001}}\n")
    rates = {0.6: 0.00099, 0.7: 0.00098, 0.8: 0.001, 0.1: 0.0002}
    write_ended(request, *(trial_row(pack, score, learning_rate=rate) for score, rate in rates.items()))
    print_outcome(run_experiment(replace(request, resume=True)), tmp_path / "runs")
    assert (
        "\nwarning: the 3 best trials have learning_rate within 5 % of its upper bound 0.001: widen it\n"
        in capsys.readouterr().out
    )


def test_where_no_trial_gave_a_result_the_commonest_reason_is_told(request_of: MakeRequest, make_pack: PackMaker):
    pack = make_pack()
    failed = [
        {**trial_row(pack, None, "failed"), "error": reason} for reason in ("disk full", "out of memory", "disk full")
    ]
    write_ended(request_of(trials=3), *failed)
    with pytest.raises(AllTrialsFailedError, match="all 3 trials failed: disk full"):
        run_experiment(request_of(trials=3, resume=True))


def test_what_another_process_runs_is_refused(request_of: MakeRequest, make_pack: PackMaker, tmp_path: Path):
    writer = ExperimentWriter(tmp_path / "runs", make_pack().info.region, "exp")
    with pytest.raises(SkinTuneError, match=f"exp.* process {os.getpid()}"):
        run_experiment(request_of())
    writer.close()
