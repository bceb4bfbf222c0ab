"""A pack whose crops lie in a file beside it trains to the numbers of one that holds them."""

from pathlib import Path

import numpy as np

from skin_tune.data.pack.format import open_pack
from skin_tune.training.trainer import Trainer
from tests.conftest import PackMaker
from tests.data.pack.sharing import share
from tests.training.test_trainer import numbers, tiny_config


def test_training_gives_the_same_numbers_from_either(make_pack: PackMaker, tmp_path: Path):
    alone = make_pack()
    other = make_pack(name="other", region="chin_sagging", seed=1)
    shared = open_pack(share(tmp_path / "shared", alone, other)[0])
    first, second = (Trainer(tiny_config(oversample="sqrt"), pack) for pack in (alone, shared))
    for _ in range(2):
        assert numbers(first.run_epoch()) == numbers(second.run_epoch())
    expected, found = (trainer.evaluate("test") for trainer in (first, second))
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    np.testing.assert_array_equal(found.sources, expected.sources)
