"""The best models of an experiment become one: the mean of their adjusted probabilities."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skin_tune.data.loading.augmentation import network_input
from skin_tune.data.pack.format import Pack
from skin_tune.errors import CheckpointError, ConfigError, ExperimentError
from skin_tune.inference.evaluate import evaluate_model
from skin_tune.inference.export import export_model
from skin_tune.inference.model_file import load_model
from skin_tune.model.prior import adjusted
from skin_tune.results import load_predictions, load_trials
from skin_tune.results.report import write_report
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths
from skin_tune.training.checkpoint import load_checkpoint, save_checkpoint
from skin_tune.tuning.refit.plan import RefitRequest, plan_refit
from skin_tune.tuning.search.warm_start import best_of_siblings
from skin_tune.tuning.space.configs import Configs
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.studies.combine import CombineRequest, run_combine
from skin_tune.tuning.studies.confirm import ConfirmRequest, run_confirm
from tests.conftest import PackMaker
from tests.local import local
from tests.models import write_model
from tests.tuning.stored_experiment import SMALL, trial_row, write_experiment

TRIALS: dict[str, dict[str, Any]] = {
    "exp-000": {"oversample": "none", "image_size": 16},
    "exp-001": {"image_size": 24},
    "exp-002": {"seed": 3},
}


@pytest.fixture
def pack(make_pack: PackMaker) -> Pack:
    return make_pack()


@pytest.fixture
def request_of_three(pack: Pack, tmp_path: Path) -> CombineRequest:
    """Three trials of other image sizes and priors, with their models and predictions."""
    storage, rows = tmp_path / "runs", {}
    for trial_id, changes in TRIALS.items():
        file = RunPaths(storage).checkpoints(pack.info.region, "exp", trial_id) / "best.pt"
        file.parent.mkdir(parents=True)
        model = load_model(write_model(local(file), pack, train_loss="ce", **{**SMALL, **changes}))
        evaluation = evaluate_model(model, pack, "val")
        write_predictions(storage, pack.info.region, "exp", trial_id, "val", **evaluation.columns())
        scores = evaluation.scores(pack.classes, ordinal=True)
        columns = {f"val_{name}": scores[name] for name in scores} | {"checkpoint": str(file)}
        rows[trial_id] = {**trial_row(pack, scores["balanced_acc"], **changes), **columns}
    write_experiment(storage, pack, rows)
    return CombineRequest("exp", storage=storage)


def test_a_combination_grades_by_the_mean_of_its_members(request_of_three: CombineRequest, pack: Pack):
    done = run_combine(request_of_three)
    assert sorted(done.members) == sorted(TRIALS)
    assert list(done.scores) == sorted(done.scores, reverse=True)
    model = load_model(done.model)
    pixels = torch.from_numpy(pack.images[pack.indices("val")])
    answers = []
    for member in model.members:
        plain = member.network(network_input(pixels, member.config.image_size)).softmax(dim=1)
        assert member.prior is not None
        answers.append(adjusted(plain.numpy(), member.prior))
    expected = np.mean(answers, axis=0)
    np.testing.assert_allclose(model.probabilities(pixels), expected, atol=1e-5)
    evaluation = evaluate_model(model, pack, "val")
    assert evaluation.adjusted_probabilities is not None
    np.testing.assert_allclose(evaluation.adjusted_probabilities, expected, atol=1e-5)


def test_it_is_exported_as_one_program(request_of_three: CombineRequest, pack: Pack, tmp_path: Path):
    model = load_model(run_combine(request_of_three).model)
    assert export_model(model, "pt2", tmp_path / "model.pt2", pack.images[:8]) < 1e-5


def test_the_store_has_it_as_an_experiment_of_its_own_and_it_compares_with_its_members(
    request_of_three: CombineRequest, pack: Pack
):
    done = run_combine(request_of_three)
    storage, region = request_of_three.storage, pack.info.region
    row = load_trials(storage, region, "exp-combined").iloc[0]
    assert (row["trial_id"], row["status"], row["checkpoint"]) == ("exp-top3", "completed", str(done.model))
    said = load_predictions(storage, region, "exp-combined")
    right = (said["predicted_adjusted"] == said["label"]).mean()
    assert right == pytest.approx(row["val_acc_adjusted"])
    assert done.gain.value == pytest.approx(row["val_balanced_acc_adjusted"])
    assert done.gain.difference == pytest.approx(done.gain.value - done.scores[0])
    assert len(load_trials(storage, region, "exp")) == 3
    again = run_combine(replace(request_of_three, top=2))
    assert load_trials(storage, region, "exp-combined")["trial_id"].tolist() == ["exp-top3", "exp-top2"]
    assert again.members == done.members[:2]


def test_the_report_tells_of_it(request_of_three: CombineRequest, tmp_path: Path):
    run_combine(request_of_three)
    write_report(request_of_three.storage, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "The combined model exp-top3 is" in page


def test_nothing_takes_it_for_a_config(request_of_three: CombineRequest, pack: Pack):
    run_combine(request_of_three)
    storage = request_of_three.storage
    space = Space("random", "val_balanced_acc", ())
    assert best_of_siblings(storage, ["exp-combined"], pack.info.region, "new", Configs(space)) == []
    with pytest.raises(ConfigError, match="'exp-top3' is a combination of models"):
        run_confirm(ConfirmRequest("exp-combined", storage=storage))


def test_a_refit_of_it_trains_the_configs_of_its_members(request_of_three: CombineRequest):
    done = run_combine(request_of_three)
    plan = plan_refit(RefitRequest("exp-combined", storage=request_of_three.storage))
    assert (plan.model, plan.metric) == ("exp-top3-refit", "val_balanced_acc_adjusted")
    assert [member.trial for member in plan.members] == list(done.members)
    assert [member.epochs_before for member in plan.members] == [0, 2, 4]
    assert plan.epochs == 6
    sizes = {member.trial: member.config.image_size for member in plan.members}
    assert sizes == {"exp-000": 16, "exp-001": 24, "exp-002": 16}
    assert "24" in str(plan.hyper_parameters["image_size"])
    assert plan.hyper_parameters["backbone"] == "resnet18"


def test_what_cannot_be_combined_is_refused(request_of_three: CombineRequest, pack: Pack):
    storage, region = request_of_three.storage, pack.info.region
    with pytest.raises(ExperimentError, match="--top 1 is below 2"):
        run_combine(replace(request_of_three, top=1))
    with pytest.raises(ExperimentError, match="--top 4: experiment 'exp' has 3 trials"):
        run_combine(replace(request_of_three, top=4))
    file = RunPaths(storage).checkpoints(region, "exp", "exp-001") / "best.pt"
    content = load_checkpoint(file)
    save_checkpoint(file, {name: value for name, value in content.items() if name not in ("prior", "format_version")})
    with pytest.raises(CheckpointError, match="did not keep the prior"):
        run_combine(request_of_three)
    file.unlink()
    with pytest.raises(ExperimentError, match="the model of exp-001 is not at"):
        run_combine(request_of_three)
    assert not RunPaths(storage).partition("trials", region, "exp-combined").exists()


def test_members_that_do_not_belong_together_are_refused(request_of_three: CombineRequest, tmp_path: Path):
    content = load_checkpoint(run_combine(request_of_three).model)
    content["members"][1]["region"] = "chin_sagging"
    save_checkpoint(tmp_path / "mixed.pt", content)
    with pytest.raises(CheckpointError, match="members are of region"):
        load_model(tmp_path / "mixed.pt")


def test_an_experiment_of_an_older_version_says_what_is_missing(pack: Pack, tmp_path: Path):
    write_experiment(tmp_path, pack, {f"exp-{number:03d}": trial_row(pack, 0.5) for number in range(3)})
    with pytest.raises(ExperimentError, match="did not keep what its models were trained under"):
        run_combine(CombineRequest("exp", storage=tmp_path))


def test_a_store_that_is_in_use_is_left_alone(request_of_three: CombineRequest, pack: Pack):
    writer = ExperimentWriter(request_of_three.storage, pack.info.region, "exp-combined")
    with pytest.raises(Exception, match="exp-combined"):
        run_combine(request_of_three)
    writer.close()
