"""Losses, mixing and averaging inside the loop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skin_tune.errors import ConfigError
from skin_tune.training.checkpoint import load_checkpoint, resumable_config, save_checkpoint
from skin_tune.training.trainer import Trainer
from tests.conftest import PackMaker
from tests.training.test_trainer import numbers, tiny_config

OPTIONS: dict[str, dict[str, Any]] = {
    "mixup": {"mixup_alpha": 0.4},
    "cutmix": {"cutmix_alpha": 1.0},
    "average": {"ema_decay": 0.9},
    "deferred": {"train_loss": "cb", "beta": 0.99, "reweight_after": 1},
    "adjusted": {"train_loss": "logit_adjustment", "oversample": "none"},
    "ordinal": {"train_loss": "sord"},
    "all": {
        "train_loss": "ldam",
        "beta": 0.99,
        "reweight_after": 1,
        "oversample": "sqrt",
        "dropout_prob": 0.5,
        "mixup_alpha": 0.4,
        "cutmix_alpha": 1.0,
        "ema_decay": 0.9,
    },
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_resumed_training_equals_an_unbroken_one(make_pack: PackMaker, tmp_path: Path, option: str):
    pack, config = make_pack(), tiny_config(epochs=2, **OPTIONS[option])
    unbroken = Trainer(config, pack)
    history = [numbers(unbroken.run_epoch()) for _ in range(2)]

    interrupted = Trainer(config, pack)
    interrupted.run_epoch()
    save_checkpoint(tmp_path / "last.pt", interrupted.state_dict())
    torch.manual_seed(99)
    content = load_checkpoint(tmp_path / "last.pt")
    resumed = Trainer(resumable_config(tmp_path / "last.pt", content), pack, weights={})
    resumed.load_state_dict(content)
    np.testing.assert_array_equal(resumed.prior, interrupted.prior)
    assert numbers(resumed.run_epoch()) == history[1]
    for mine, theirs in ((resumed.network, unbroken.network), (resumed.kept_network, unbroken.kept_network)):
        assert all(map(torch.equal, mine.state_dict().values(), theirs.state_dict().values()))


def test_logit_adjustment_of_a_balanced_stream_gives_the_digits_of_cross_entropy(make_pack: PackMaker):
    pack = make_pack()
    ce, adjusted = (
        Trainer(tiny_config(train_loss=loss, oversample="balanced"), pack) for loss in ("ce", "logit_adjustment")
    )
    assert [numbers(ce.run_epoch()) for _ in range(2)] == [numbers(adjusted.run_epoch()) for _ in range(2)]


def test_logit_adjustment_takes_the_prior_of_the_images_drawn_not_of_the_original_ones(make_pack: PackMaker):
    config = tiny_config(train_loss="logit_adjustment", oversample="sqrt", epoch_images=-1)
    trainer = Trainer(config, make_pack())
    assert trainer.targets.tolist() == [24, 17, 12]
    torch.testing.assert_close(trainer.loss.shift.exp(), torch.tensor([1, 17 / 24, 12 / 24]))
    np.testing.assert_allclose(trainer.prior, [1 / 3] * 3)


def test_weights_begin_to_count_in_the_epoch_after_those_without(make_pack: PackMaker):
    pack = make_pack()
    deferred, plain, weighted = (
        Trainer(tiny_config(train_loss="cb", beta=beta, reweight_after=after), pack)
        for beta, after in ((0.99, 1), (0.0, 0), (0.99, 0))
    )
    first, unweighted = numbers(deferred.run_epoch()), numbers(plain.run_epoch())
    assert first == unweighted != numbers(weighted.run_epoch())
    np.testing.assert_array_equal(deferred.prior, plain.prior)
    assert numbers(deferred.run_epoch()) != numbers(plain.run_epoch())
    np.testing.assert_array_equal(deferred.prior, weighted.prior)


def test_mixing_leaves_dropout_as_it_was(make_pack: PackMaker, monkeypatch: pytest.MonkeyPatch):
    # A batch whose images keep their whole share: all that may differ are random numbers of others.
    monkeypatch.setattr("skin_tune.data.loading.mixing.mixup", lambda images, share: None)
    monkeypatch.setattr(
        "skin_tune.training.trainer.by_label", lambda score, logits, labels, share: score(logits, labels)
    )
    pack = make_pack()
    plain, mixed = (Trainer(tiny_config(dropout_prob=0.5, mixup_alpha=alpha), pack) for alpha in (0.0, 0.4))
    assert numbers(plain.run_epoch()) == numbers(mixed.run_epoch())


def test_softened_grades_need_an_order(make_pack: PackMaker):
    with pytest.raises(ConfigError, match=r"train_loss=sord needs classes with an order, .* logit_adjustment"):
        Trainer(tiny_config(train_loss="sord"), make_pack(ordinal=False))
