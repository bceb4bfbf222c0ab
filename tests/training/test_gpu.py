"""What training promises, on a GPU; left out where there is none."""

from pathlib import Path

import numpy as np
import pytest
import torch

from skin_tune.config import AUGMENTATION_METHODS
from skin_tune.data.loading.augmentation import network_input
from skin_tune.data.loading.prefetch import prefetched
from skin_tune.data.loading.randoms import RANDOMS_PER_DRAW
from skin_tune.training.checkpoint import BackgroundSaver, load_checkpoint
from skin_tune.training.trainer import Trainer
from tests.conftest import PackMaker
from tests.training.test_trainer import numbers, small_config

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
pytestmark = needs_gpu

GPU = torch.device("cuda")


def test_batches_arrive_whole_and_in_order_however_late_they_are_read(make_pack: PackMaker):
    images = make_pack(size=128).images
    asked = [np.random.default_rng(batch).integers(0, len(images), 16) for batch in range(50)]
    sums = []
    for batch in prefetched(images, asked, GPU):
        torch.cuda._sleep(10_000_000)  # clock cycles, in which the next batches are sent
        sums.append(batch.sum(dim=(1, 2, 3)))
        del batch
    for rows, total in zip(asked, sums, strict=True):
        assert total.tolist() == images[rows].sum(axis=(1, 2, 3), dtype=np.int64).tolist()


@pytest.mark.parametrize(("methods", "chosen"), [((), 0.0), (AUGMENTATION_METHODS, 0.6)])
@pytest.mark.parametrize("size", [28, 32])
def test_inputs_are_those_of_a_cpu(make_pack: PackMaker, methods: tuple[str, ...], chosen: float, size: int):
    pixels = torch.from_numpy(np.array(make_pack().images))
    randoms, which = torch.rand(len(pixels), RANDOMS_PER_DRAW), torch.rand(len(pixels)) < chosen
    expected = network_input(pixels, size, randoms, which, methods)
    inputs = network_input(pixels.to(GPU), size, randoms.to(GPU), which, methods)
    assert inputs.device.type == "cuda"
    # A CPU resizes in whole numbers: half a level of 255, over a standard deviation of 0.224, and once more on the way.
    torch.testing.assert_close(inputs.cpu(), expected, atol=1.1 / 255 / 0.224, rtol=0)


def test_a_model_says_on_a_gpu_what_it_says_on_a_cpu(make_pack: PackMaker):
    pack = make_pack()
    trained = Trainer(small_config(amp=False), pack, device=GPU)
    trained.run_epoch()
    same = Trainer(small_config(), pack)
    same.network.load_state_dict(trained.network.state_dict())
    np.testing.assert_allclose(trained.evaluate("val").probabilities, same.evaluate("val").probabilities, atol=0.01)


def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_float32(make_pack: PackMaker):
    dtypes = set()
    for amp in (True, False):
        trainer = Trainer(small_config(amp=amp), make_pack(), device=GPU)
        trainer.network.layer1.register_forward_hook(lambda *call: dtypes.add(call[-1].dtype))
        trainer.run_epoch()
        assert dtypes == {torch.bfloat16 if amp else torch.float32}
        assert {value.dtype for value in trainer.network.parameters()} == {torch.float32}
        dtypes.clear()


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
@pytest.mark.parametrize("amp", [True, False])
def test_the_same_seed_gives_the_same_numbers(make_pack: PackMaker, backbone: str, amp: bool):
    pack, config = make_pack(size=64), small_config(backbone=backbone, amp=amp, image_size=56, augment="all")
    first, second = (Trainer(config, pack, device=GPU) for _ in range(2))
    for _ in range(3):
        assert numbers(first.run_epoch()) == numbers(second.run_epoch())
    for name, value in first.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value), name


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_resumed_training_equals_an_unbroken_one(make_pack: PackMaker, tmp_path: Path, optimizer: str):
    pack, config = make_pack(), small_config(optimizer=optimizer, dropout_prob=0.5, augment="all")
    unbroken, saver = Trainer(config, pack, device=GPU), BackgroundSaver()
    unbroken.run_epoch()
    saver.save(tmp_path / "last.pt", unbroken.state_dict())
    expected = [numbers(unbroken.run_epoch()) for _ in range(2)]  # while it is written
    saver.wait()
    resumed = Trainer(config, pack, device=GPU)
    resumed.load_state_dict(load_checkpoint(tmp_path / "last.pt"))
    assert [numbers(resumed.run_epoch()) for _ in range(2)] == expected
    for name, value in unbroken.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name


def test_compiled_trials_train_alike_whatever_ran_before(make_pack: PackMaker):
    """What the code that the compiler writes for a GPU does; how many graphs there are is counted on CPUs."""
    pack = make_pack(size=64)

    def run(**changes: object) -> list[dict[str, float]]:
        config = small_config(**{"image_size": 56, "augment": "all", "compile": "on", **changes})
        trainer = Trainer(config, pack, device=GPU)
        epochs = [numbers(trainer.run_epoch()) for _ in range(2)]
        assert not trainer.not_compiled
        return epochs

    first = run()
    for number in range(10):
        run(learning_rate=1e-4 * (number + 1), dropout_prob=number / 20, seed=number, batch_size=(16, 8)[number % 2])
    assert run() == first


def test_training_learns(make_pack: PackMaker):
    trainer = Trainer(small_config(epochs=4), make_pack(), device=GPU)
    assert max(trainer.run_epoch()["val_balanced_acc"] for _ in range(4)) > 0.6
