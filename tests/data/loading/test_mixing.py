"""Mixup and CutMix: the label's share is the share that an image keeps."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skin_tune.config import CHOICES, TrialConfig
from skin_tune.data.loading.mixing import Box, Mixer, by_label, cut_box, cutmix, hits, mixup
from skin_tune.model.losses import build_loss


def flat_images(count: int = 6, side: int = 8) -> torch.Tensor:
    """Image i has the value i everywhere."""
    return torch.arange(float(count)).view(-1, 1, 1, 1).repeat(1, 3, side, side)


def test_mixup_blends_each_image_with_the_one_before():
    images = flat_images(3)
    mixup(images, 0.75)
    assert images[:, 0, 0, 0].tolist() == [0.75 * 0 + 0.25 * 2, 0.75 * 1 + 0.25 * 0, 0.75 * 2 + 0.25 * 1]
    assert (images == images[:, :1, :1, :1]).all()


@pytest.mark.parametrize("box", [Box(2, 5, 1, 7), Box(0, 8, 0, 8), Box(3, 3, 0, 8), Box(0, 1, 7, 8)])
def test_cutmix_pastes_the_box_and_keeps_the_share_of_the_pixels(box: Box):
    images = flat_images()
    share = cutmix(images, box)
    for number, image in enumerate(images):
        assert (image == number).double().mean().item() == pytest.approx(share)
        inside = image[:, box.top : box.bottom, box.left : box.right]
        assert (inside == (number - 1) % len(images)).all()
    assert share == 1 - box.area / 64


def test_a_box_has_the_wanted_area_in_the_middle_and_is_cut_off_at_the_edges():
    assert cut_box(32, 0.75, row=16, column=16) == Box(8, 24, 8, 24)
    assert cut_box(32, 0.75, row=0, column=31) == Box(0, 8, 23, 32)
    assert cut_box(32, 1.0, row=5, column=5).area == 0
    assert cut_box(32, 0.0, row=16, column=16).area == 32 * 32


@pytest.mark.parametrize("changes", [{"mixup_alpha": 0.4}, {"cutmix_alpha": 1.0}])
def test_shares_follow_from_seed_and_epoch_and_are_those_that_images_keep(changes: dict[str, float]):
    def shares(seed: int, epoch: int) -> list[float]:
        mixer = Mixer(TrialConfig.from_mapping({"seed": seed, **changes}), epoch)
        return [mixer.mix(flat_images()) for _ in range(20)]

    assert shares(0, 1) == shares(0, 1)
    assert len({tuple(shares(seed, epoch)) for seed, epoch in itertools.product((0, 1), (1, 2))}) == 4
    images = flat_images()
    share = Mixer(TrialConfig.from_mapping(changes), 1).mix(images)
    kept = images[3].mean().item()  # of values 3 and 2
    assert kept == pytest.approx(3 * share + 2 * (1 - share), rel=1e-6)


def test_shares_are_of_a_beta_distribution():
    mixer = Mixer(TrialConfig(mixup_alpha=0.4), 1)
    shares = np.array([mixer.mix(torch.zeros(2, 1, 1, 1)) for _ in range(4000)])
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.01)  # alpha^2 / ((2 alpha)^2 (2 alpha + 1))


def test_with_both_on_half_of_the_batches_are_cut_and_half_blended():
    mixer, cut = Mixer(TrialConfig(mixup_alpha=1, cutmix_alpha=1), 1), 0
    for _ in range(400):
        images = flat_images()
        mixer.mix(images)
        cut += int((images == images.round()).all())
    assert 160 < cut < 240


def test_with_both_off_nothing_is_touched():
    images = flat_images()
    assert Mixer(TrialConfig(), 1).mix(images) == 1
    assert torch.equal(images, flat_images())


def test_for_cross_entropy_the_loss_is_that_of_the_mixed_label():
    torch.manual_seed(0)
    logits, labels = torch.randn(10, 4), torch.randint(0, 4, (10,))
    loss = build_loss(TrialConfig(train_loss="ce"), [1, 1, 1, 1])
    one_hot = F.one_hot(labels, 4).float()
    mixed = 0.3 * one_hot + 0.7 * one_hot.roll(1, dims=0)
    expected = F.cross_entropy(logits, mixed, reduction="none")
    torch.testing.assert_close(by_label(loss, logits, labels, 0.3), expected)
    assert torch.equal(by_label(loss, logits, labels, 1.0), loss(logits, labels))


@pytest.mark.parametrize("name", CHOICES["train_loss"])
def test_every_loss_takes_each_label_by_its_share_weights_included(name: str):
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, requires_grad=True), torch.tensor([0, 2])
    loss = build_loss(TrialConfig(train_loss=name), [50, 20, 5])
    mixed = by_label(loss, logits, labels, 0.8)
    other = loss(logits, torch.tensor([2, 0]))
    torch.testing.assert_close(mixed, 0.8 * loss(logits, labels) + 0.2 * other)
    mixed.sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_a_hit_counts_by_the_share_of_the_label_that_was_hit():
    logits = torch.tensor([[9.0, 0, 0], [0, 9, 0], [0, 9, 0]])
    assert by_label(hits, logits, torch.tensor([0, 0, 1]), 0.75).tolist() == [0.75, 0, 0.75]
    assert by_label(hits, logits, torch.tensor([0, 1, 0]), 0.75).tolist() == [1, 0.75, 0.25]
