"""A refitted model as a wandb artifact: what the record of a real offline run says of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from skin_tune.data.pack.format import Pack
from skin_tune.errors import ExperimentError
from skin_tune.tuning.refit.artifacts import facts_of, write_refit
from skin_tune.tuning.refit.plan import RefitPlan, RefitRequest, plan_refit
from skin_tune.tuning.refit.runner import Refit, run_refit
from skin_tune.tuning.refit.wandb_log import RefitLog
from skin_tune.tuning.tracking.wandb_artifacts import artifact_name
from tests.conftest import PackMaker
from tests.integration.offline_runs import offline_runs
from tests.tuning.refit.test_artifacts import ENDED, answers_of, plan_of
from tests.tuning.stored_experiment import trial_row, write_experiment


@pytest.fixture
def pack(make_pack: PackMaker, tmp_path: Path) -> Pack:
    pack = make_pack()
    write_experiment(tmp_path / "runs", pack, {"exp-000": trial_row(pack, 0.4), "exp-001": trial_row(pack, 0.6)})
    return pack


def write_complete(pack: Pack, tmp_path: Path) -> RefitPlan:
    """A refit that is complete, without a wandb run."""
    plan, evaluation = plan_of(tmp_path), answers_of(pack)
    write_refit(plan, facts_of(plan, evaluation, ENDED, 2, 20.0, 40.0), evaluation)
    return plan


def again(tmp_path: Path, **options: Any) -> Refit:
    return run_refit(RefitRequest("exp", storage=tmp_path / "runs", wandb="offline", wandb_artifacts=True, **options))


def test_the_artifact_holds_the_model_and_its_card_and_nothing_else(pack: Pack, tmp_path: Path):
    plan = write_complete(pack, tmp_path)
    done = again(tmp_path)
    assert "wandb: artifact lip_dryness-exp:champion holds model.pt and model_card.md" in done.wandb
    (run,) = offline_runs(tmp_path / "runs").values()
    (artifact,) = run.models
    assert (artifact.name, set(artifact.aliases)) == ("lip_dryness-exp", {"champion", "latest"})
    files = {entry.path: Path(entry.local_path) for entry in artifact.manifest.contents}
    assert files == {name: plan.folder / name for name in ("model.pt", "model_card.md")}, "wandb keeps no copy"
    metadata = json.loads(artifact.metadata)
    assert metadata["pack_id"] == pack.info.pack_id
    assert metadata["config"]["backbone"] == "resnet18"
    assert metadata["val"]["val_balanced_acc"] == 0.6
    assert metadata["test"]["test_balanced_acc"] == done.facts.metrics["test_balanced_acc"]
    assert sum(len(value) if isinstance(value, dict) else 1 for value in metadata.values()) < 100
    assert run.summary["test_balanced_acc"] == done.facts.metrics["test_balanced_acc"]
    assert (run.summary["status"], run.exit_code) == ("completed", 0)


def test_what_was_logged_is_not_logged_again(pack: Pack, tmp_path: Path):
    write_complete(pack, tmp_path)
    again(tmp_path)
    files = sorted((tmp_path / "runs").glob("wandb/*"))
    assert again(tmp_path).wandb == "wandb: artifact lip_dryness-exp:champion was logged before"
    assert sorted((tmp_path / "runs").glob("wandb/*")) == files


def test_without_the_option_nothing_is_logged_of_a_complete_refit(pack: Pack, tmp_path: Path):
    write_complete(pack, tmp_path)
    assert run_refit(RefitRequest("exp", storage=tmp_path / "runs", wandb="offline")).wandb == ""
    assert not (tmp_path / "runs" / "wandb").exists()


def test_a_writer_that_is_killed_loses_neither_the_figures_nor_the_model(pack: Pack, tmp_path: Path):
    write_complete(pack, tmp_path)
    plan = plan_refit(RefitRequest("exp", storage=tmp_path / "runs", wandb="offline", wandb_artifacts=True))
    log = RefitLog(plan)
    facts = run_refit(RefitRequest("exp", storage=tmp_path / "runs", wandb="disabled")).facts
    log.result(facts)
    assert log._process._process is not None
    log._process._process.kill()
    log._process._process.wait()
    assert "its process died once (signal 9)" in log.close("completed")
    runs = offline_runs(tmp_path / "runs")
    (run,) = runs.values()
    assert {artifact.digest for artifact in run.models} == {run.models[0].digest}
    assert run.summary["test_balanced_acc"] == facts.metrics["test_balanced_acc"]
    assert (run.summary["status"], run.exit_code) == ("completed", 0)


def test_without_wandb_it_is_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nowhere = RefitRequest("exp", storage=tmp_path / "none", wandb="disabled", wandb_artifacts=True)
    with pytest.raises(ExperimentError, match="--wandb-artifacts needs a wandb run, and wandb is disabled"):
        plan_refit(nowhere)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(ExperimentError, match="give --wandb online or --wandb offline"):
        plan_refit(RefitRequest("exp", storage=tmp_path / "none", wandb_artifacts=True))


@pytest.mark.parametrize(
    ("region", "experiment"), [("이마_주름", "first"), ("입술_건조", "first"), ("lip_dryness", "x" * 200)]
)
def test_a_name_that_wandb_refuses_is_changed_and_stays_another_one(region: str, experiment: str):
    name = artifact_name(region, experiment)
    assert len(name) <= 128
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
    assert name != artifact_name("턱_처짐_", experiment)
    assert artifact_name("lip_dryness", "first") == "lip_dryness-first"
