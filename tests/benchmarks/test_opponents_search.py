"""How many images a space may draw, and so whether a budget holds a trial of it."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.opponents.run import task_of
from benchmarks.opponents.search import longest_epoch, run_skin_tune
from skin_tune.errors import ConfigError
from tests.conftest import PackMaker


@pytest.mark.parametrize(
    ("parameters", "images"),
    [
        ({"oversample": {"values": ["none", "balanced"]}}, 24),
        ({"epoch_images": {"value": 100}}, 100),
        (
            {"oversample": {"values": ["none", "balanced"]}, "target_samples_per_class": {"values": [10, 30]}},
            30 + 30,
        ),
    ],
)
def test_the_longest_epoch_of_a_space(tmp_path: Path, parameters: dict[str, object], images: int):
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump({"method": "random", "parameters": parameters}))
    assert longest_epoch(space, {"epochs": 5}, np.array([20, 4])) == images


def test_a_budget_of_less_than_a_trial_is_an_error(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack({"train": (20, 12, 6), "val": (4, 3, 3), "test": (4, 3, 2)}, size=16)
    space = tmp_path / "space.yaml"
    parameters = {"oversample": {"value": "balanced"}, "target_samples_per_class": {"value": 1000}}
    space.write_text(yaml.safe_dump({"method": "random", "parameters": parameters}))
    with pytest.raises(ConfigError, match="draws up to 6000 images; all may draw 304"):
        run_skin_tune(task_of(pack, epochs=2, image_size=16, seed=0), pack, space, tmp_path)
