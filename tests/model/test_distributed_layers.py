"""Two workers, talking over gloo, against one."""

import math
import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed

from skin_tune.config import AUGMENTATION_METHODS, TrialConfig
from skin_tune.data.pack.format import open_pack
from skin_tune.errors import ConfigError
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from tests.conftest import PackMaker
from tests.local import local
from tests.training.test_gpu import needs_gpu
from tests.training.test_trainer import numbers, small_config

EPOCHS = 2


class TwoWorkers:
    """Two processes that have joined each other; to start them takes longer than what they do."""

    def __init__(self, folder: Path):
        spawn = multiprocessing.get_context("spawn")
        self._ranks = [ProcessPoolExecutor(1, spawn, _join, (rank, folder / "rendezvous")) for rank in range(2)]

    def train(self, config: TrialConfig, pack: Path, device: str = "cpu") -> list[dict[str, Any]]:
        """What each of them has after EPOCHS epochs of one training; a GPU is shared by both."""
        answers = [process.submit(_train, rank, config, pack, device) for rank, process in enumerate(self._ranks)]
        return [answer.result() for answer in answers]

    def close(self) -> None:
        for process in self._ranks:
            process.shutdown()


def _join(rank: int, rendezvous: Path) -> None:
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)


def _train(rank: int, config: TrialConfig, pack: Path, device: str) -> dict[str, Any]:
    trainer = Trainer(config, open_pack(pack), device=device, rank=rank, world_size=2)
    try:
        history = [numbers(trainer.run_epoch()) for _ in range(EPOCHS)]
    except TrainingDivergedError as error:
        return {"diverged": str(error)}
    validation = trainer.evaluate("val")
    return {
        "history": history,
        "confusion": validation.confusion,
        "probabilities": validation.probabilities,
        "model": _weights(trainer),
        "kept": _values(trainer.kept_network),
    }


def _weights(trainer: Trainer) -> dict[str, Any]:
    return _values(trainer.network)


def _values(network: torch.nn.Module) -> dict[str, Any]:
    return {name: value.cpu().numpy().copy() for name, value in network.state_dict().items()}


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoWorkers]:
    workers = TwoWorkers(tmp_path_factory.mktemp("workers"))
    yield workers
    workers.close()


@pytest.mark.parametrize(
    "changes",
    [{}, {"freeze_epochs": 1}, {"backbone": "timm/test_efficientnet"}],  # the last: timm's own batch normalisation
    ids=["resnet18", "frozen", "timm"],
)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_two_workers_train_as_one(
    make_pack: PackMaker,
    two_workers: TwoWorkers,
    device: str,
    changes: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    # An odd batch size, so that the ranks hold shares of different sizes, and steps too small to amplify rounding.
    config = small_config(
        batch_size=15,
        augment="all",
        augmentation_methods=AUGMENTATION_METHODS,
        dropout_prob=0.5,
        optimizer="sgd",
        learning_rate=1e-5,
        amp=False,
        **changes,
    )
    pack = make_pack()
    alone = Trainer(config, pack, device=device)
    start = _weights(alone)
    expected = [numbers(alone.run_epoch()) for _ in range(EPOCHS)]
    first, second = two_workers.train(config, local(pack.path), device)
    assert first["history"] == second["history"]
    for mine, theirs in zip(first["history"], expected, strict=True):
        assert mine["learning_rate"] == theirs["learning_rate"]
        assert mine["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-3)
        assert mine["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-3)
    images = np.bincount(pack.labels[pack.indices("val")])
    assert first["confusion"].sum(axis=1).tolist() == images.tolist()
    assert np.array_equal(first["probabilities"], second["probabilities"])
    assert len(first["probabilities"]) == images.sum()
    ours = alone.evaluate("val").probabilities
    np.testing.assert_allclose(first["probabilities"], ours, atol=0.001)  # row by row, whichever rank it was on
    learned = {name: value - start[name] for name, value in _weights(alone).items()}
    learned_by_two = {name: first["model"][name] - start[name] for name in learned}
    assert distance(learned_by_two, learned) < 0.1 * distance(learned, dict.fromkeys(learned, 0))


def distance(some: Mapping[str, Any], others: Mapping[str, Any]) -> float:
    """Between the parameters of two models; running statistics left out, which grow by themselves."""
    names = [name for name in some if "running" not in name and "num_batches" not in name]
    return math.sqrt(sum(float(np.square(some[name] - others[name]).sum()) for name in names))


def test_workers_with_a_batch_norm_of_their_own_still_hold_one_model(make_pack: PackMaker, two_workers: TwoWorkers):
    config = small_config(sync_batchnorm=False, ema_decay=0.9, mixup_alpha=0.4, cutmix_alpha=1)
    first, second = two_workers.train(config, local(make_pack().path))
    assert first["history"] == second["history"]
    for kind in ("model", "kept"):
        for name, value in first[kind].items():
            assert np.array_equal(value, second[kind][name]), name
    assert not np.array_equal(first["model"]["fc.1.weight"], first["kept"]["fc.1.weight"])


def test_workers_with_a_frozen_backbone_train_the_classifier_alone(make_pack: PackMaker, two_workers: TwoWorkers):
    config, pack = small_config(freeze_epochs=EPOCHS, batch_size=15, sync_batchnorm=False), make_pack()
    start = _weights(Trainer(config, pack))
    for worker in two_workers.train(config, local(pack.path)):
        changed = {name for name, value in worker["model"].items() if not np.array_equal(value, start[name])}
        assert changed == {"fc.1.weight", "fc.1.bias"}


def test_workers_diverge_together(make_pack: PackMaker, two_workers: TwoWorkers):
    config = small_config(learning_rate=1e30, warmup_epochs=0, schedule="constant")
    first, second = two_workers.train(config, local(make_pack().path))
    assert first["diverged"] == second["diverged"]


def test_a_batch_too_small_to_share_is_refused(make_pack: PackMaker):
    with pytest.raises(ConfigError, match=r"batch_size=6 is below 4 images for each of 2 workers"):
        Trainer(small_config(batch_size=6), make_pack(), world_size=2)
