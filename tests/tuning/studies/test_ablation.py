"""Every cell of the factorial is run with every seed, and nothing that it varies can be fixed."""

import itertools
from pathlib import Path

import pytest

from skin_tune.errors import ExperimentError
from skin_tune.tuning.experiment.fixed_configs import Resources
from skin_tune.tuning.studies import ablation
from skin_tune.tuning.studies.ablation import FACTORS, AblationRequest, check_ablation, run_ablation
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL, trial_row, write_experiment


def test_every_cell_has_a_run_of_each_seed_seed_by_seed(
    make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")  # what is in the store is not to be run
    pack = make_pack()
    rows = {f"ablation-{number:03d}": trial_row(pack, 0.5, seed=number // 12) for number in range(24)}
    write_experiment(tmp_path / "runs", pack, rows, name="ablation")
    request = AblationRequest(
        pack.path, seeds=2, overrides=SMALL, storage=tmp_path / "runs", resources=Resources(wandb="disabled")
    )
    found = run_ablation(request)
    assert list(found.runs) == list(itertools.product(*FACTORS.values()))
    assert next(iter(found.runs)) == ("cross-entropy", "none", "off"), "the reference"
    assert len(found.runs) == 12
    for number, ids in enumerate(found.runs.values()):
        assert ids == [f"ablation-{number:03d}", f"ablation-{number + 12:03d}"]
    assert set(found.outcome.searched) == {*FACTORS, "seed"}, "everything else is the same in all cells"


def test_one_that_an_older_version_started_goes_on_with_its_defaults(
    make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pack, given = make_pack(), []
    monkeypatch.setattr(ablation, "run_fixed_configs", lambda configs, *others: given.append(configs))
    request = AblationRequest(pack.path, overrides=SMALL, storage=tmp_path / "runs")
    run_ablation(request)
    write_experiment(tmp_path / "runs", pack, {}, name="ablation")  # its spec notes no defaults
    run_ablation(request)
    assert [{config["epoch_images"] for config in configs} for configs in given] == [{0}, {-1}]


@pytest.mark.parametrize("name", [*FACTORS, "seed", "augment"])
def test_what_it_varies_cannot_be_fixed(name: str):
    with pytest.raises(ExperimentError, match=f"{name}=x cannot be fixed: the ablation varies it"):
        check_ablation(3, {name: "x"})


def test_it_needs_a_seed():
    with pytest.raises(ExperimentError, match="--seeds 0 is below 1"):
        check_ablation(0, {})
    check_ablation(1, {"epochs": 3})
