"""Two workers on CPUs, talking over gloo, against one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed
import torch.multiprocessing

from skin_tune.config import TrialConfig
from skin_tune.data.pack import open_pack
from skin_tune.errors import ConfigError
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from tests.conftest import PackMaker
from tests.training.test_trainer import numbers, small_config

EPOCHS = 2


def _rank(rank: int, world_size: int, config: dict[str, Any], pack: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=world_size
    )
    trainer = Trainer(TrialConfig.from_mapping(config), open_pack(pack), rank=rank, world_size=world_size)
    try:
        history = [numbers(trainer.run_epoch()) for _ in range(EPOCHS)]
    except TrainingDivergedError as error:
        torch.save({"diverged": str(error)}, folder / f"{rank}.pt")
        return
    validation = trainer.evaluate("val")
    torch.save(
        {
            "history": history,
            "confusion": torch.from_numpy(validation.confusion),
            "probabilities": torch.from_numpy(validation.probabilities),
            "model": trainer.network.state_dict(),
        },
        folder / f"{rank}.pt",
    )


def two_workers(config: TrialConfig, pack: Path, folder: Path) -> list[dict[str, Any]]:
    torch.multiprocessing.spawn(_rank, (2, config.to_dict(), pack, folder), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_two_workers_train_as_one(make_pack: PackMaker, tmp_path: Path):
    # An odd batch size, so that the ranks hold shares of different sizes.
    config = small_config(batch_size=15, augment="all", dropout_prob=0.5, learning_rate=1e-4)
    pack = make_pack()
    alone = Trainer(config, pack)
    expected = [numbers(alone.run_epoch()) for _ in range(EPOCHS)]
    first, second = two_workers(config, pack.path, tmp_path)
    assert first["history"] == second["history"]
    for mine, theirs in zip(first["history"], expected, strict=True):
        assert mine["learning_rate"] == theirs["learning_rate"]
        assert mine["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-3)
        assert mine["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-2)
    images = np.bincount(pack.labels[pack.indices("val")])
    assert first["confusion"].sum(dim=1).tolist() == images.tolist()
    assert torch.equal(first["probabilities"], second["probabilities"])
    assert len(first["probabilities"]) == images.sum()
    ours = alone.evaluate("val").probabilities
    np.testing.assert_allclose(first["probabilities"], ours, atol=0.02)  # row by row, whichever rank it was on
    for name, value in alone.network.state_dict().items():
        torch.testing.assert_close(first["model"][name], value, rtol=1e-2, atol=1e-3, msg=name)


def test_workers_with_a_batch_norm_of_their_own_still_hold_one_model(make_pack: PackMaker, tmp_path: Path):
    first, second = two_workers(small_config(sync_batchnorm=False), make_pack().path, tmp_path)
    assert first["history"] == second["history"]
    for name, value in first["model"].items():
        assert torch.equal(value, second["model"][name]), name


def test_workers_diverge_together(make_pack: PackMaker, tmp_path: Path):
    config = small_config(learning_rate=1e30, warmup_epochs=0, schedule="constant")
    first, second = two_workers(config, make_pack().path, tmp_path)
    assert first["diverged"] == second["diverged"]


def test_a_batch_too_small_to_share_is_refused(make_pack: PackMaker):
    with pytest.raises(ConfigError, match=r"batch_size=6 is below 4 images for each of 2 workers"):
        Trainer(small_config(batch_size=6), make_pack(), world_size=2)
