"""Whether the images that trials are expected to draw pay for compiling."""

from pathlib import Path
from typing import Any

import pytest

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.tuning.experiment.compiling import decide, decide_for, images_of
from skin_tune.tuning.experiment.plan import Plan, make_plan
from skin_tune.tuning.experiment.request import TuneRequest
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL

GRID = "method: grid\nparameters:\n  learning_rate: {values: [1.0e-3, 1.0e-4, 1.0e-5]}\n"
STOPS = "early_terminate: {type: hyperband, min_iter: 1}\n"
EPOCHS = 400_000  # of 42 images of 32 px: three trials are 50.4 million images, as much to compute as 1.03 of 224 px


@pytest.fixture
def pack(make_pack: PackMaker) -> Pack:
    return make_pack()


@pytest.fixture
def plan_of(pack: Pack, tmp_path: Path) -> Any:
    def plan(space: str = GRID, *, changes: dict[str, Any] | None = None, **options: Any) -> Plan:
        (tmp_path / "space.yaml").write_text(space)
        overrides = {**SMALL, "image_size": 32, "epochs": EPOCHS, **(changes or {})}
        return make_plan(
            TuneRequest(pack.path, tmp_path / "space.yaml", overrides, storage=tmp_path / "runs", name="exp", **options)
        )

    return plan


@pytest.mark.parametrize(
    ("space", "changes", "options", "processes", "pays"),
    [
        (GRID, {}, {}, 1, True),
        (GRID, {}, {}, 2, False),
        (GRID, {"epochs": EPOCHS // 2}, {}, 1, False),
        (GRID, {"epoch_images": 30}, {}, 1, False),
        (GRID, {"image_size": 31}, {}, 1, False),
        (GRID, {}, {"trials": 2}, 1, False),
        (GRID, {}, {"image_budget": 40_000_000}, 1, False),
        (STOPS + GRID, {}, {}, 1, False),
    ],
)
def test_it_pays_by_the_images_that_a_process_will_train_on(
    plan_of: Any, space: str, changes: dict[str, Any], options: dict[str, Any], processes: int, pays: bool
):
    assert decide_for([plan_of(space, changes=changes, **options)], processes) == pays


def test_regions_of_one_run_share_its_processes(plan_of: Any):
    plan = plan_of(changes={"epochs": EPOCHS // 2})
    assert decide_for([plan, plan], 1)


def test_what_auto_does_is_said_in_one_line(pack: Pack, capsys: pytest.CaptureFixture[str]):
    config = TrialConfig(image_size=32, epochs=100)
    assert images_of(config, pack) == 4_200
    assert not decide([config], 4_200)
    said = "compile=auto: about 4,200 training images a process do not pay for compiling the network\n"
    assert capsys.readouterr().err == said
    assert decide([TrialConfig(compile="on")], 2e6)
    assert capsys.readouterr().err == ""


def test_a_config_that_cannot_be_trained_draws_nothing(pack: Pack):
    assert images_of(TrialConfig(epoch_images=1), pack) == 0
