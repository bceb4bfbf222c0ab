"""What the network sees, against torchvision's own transforms and closed forms."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from torch import Tensor

from skin_tune.config import AUGMENTATION_METHODS
from skin_tune.data.loading.augmentation import JITTER, MAX_ROTATION_DEGREES, augment, network_input, normalise, resize

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def crops(count: int, size: int = 24, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8))


def colours(count: int, size: int = 24) -> Tensor:
    """Images in [0.3, 0.6]: no jitter takes them out of [0, 1]."""
    return 0.3 + 0.3 * torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def randoms(count: int, **columns: float) -> Tensor:
    """Rows that change nothing: no flip, no turn, every factor 1; but for the columns given."""
    rows = torch.full((count, 6), 0.5)
    names = {"flip": 0, "angle": 1, "brightness": 2, "contrast": 3, "saturation": 4}
    rows[:, 0] = 0.9
    for name, value in columns.items():
        rows[:, names[name]] = value
    return rows


# Without augmentation


def test_pixels_become_normalised_channels_and_nothing_else() -> None:
    pixels = crops(5)
    got = network_input(pixels, 24)
    assert got.shape == (5, 3, 24, 24)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, (pixels.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD)


def test_a_smaller_input_is_resized_as_torchvision_does() -> None:
    pixels = crops(3, size=40)
    expected = tv.resize(pixels.permute(0, 3, 1, 2).float() / 255, [24, 24], antialias=True)
    # uint8 arithmetic rounds to whole levels
    torch.testing.assert_close(resize(pixels, 24), expected, atol=1.01 / 255, rtol=0)


def test_validation_draws_nothing_whatever_the_methods() -> None:
    pixels = crops(4)
    assert torch.equal(network_input(pixels, 24, methods=AUGMENTATION_METHODS), network_input(pixels, 24))


def test_no_methods_change_nothing() -> None:
    pixels, rows = crops(4), torch.rand(4, 6)
    chosen = torch.ones(4, dtype=torch.bool)
    assert torch.equal(network_input(pixels, 24, rows, chosen, ()), network_input(pixels, 24))
    images = colours(4)
    assert torch.equal(augment(images, rows, ()), images)


def test_only_the_chosen_draws_are_augmented() -> None:
    pixels = crops(40)
    chosen = torch.arange(40) % 3 == 0
    plain = network_input(pixels, 24)
    got = network_input(pixels, 24, torch.rand(40, 6), chosen, AUGMENTATION_METHODS)
    assert torch.equal(got[~chosen], plain[~chosen])
    assert all(not torch.equal(got[row], plain[row]) for row in chosen.nonzero().flatten())


def test_a_batch_gives_what_its_images_give_alone() -> None:
    pixels, rows, chosen = crops(37, size=30), torch.rand(37, 6), torch.arange(37) % 2 == 0
    together = network_input(pixels, 24, rows, chosen, AUGMENTATION_METHODS)
    alone = [
        network_input(pixels[n : n + 1], 24, rows[n : n + 1], chosen[n : n + 1], AUGMENTATION_METHODS)
        for n in range(37)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)


def test_the_pixels_given_are_left_as_they_were() -> None:
    pixels = crops(4)
    before = pixels.clone()
    network_input(pixels, 24, torch.rand(4, 6), torch.ones(4, dtype=torch.bool), AUGMENTATION_METHODS)
    assert torch.equal(pixels, before)


def test_nothing_chosen_is_no_fault() -> None:
    pixels = crops(4)
    got = network_input(pixels, 24, torch.rand(4, 6), torch.zeros(4, dtype=torch.bool), AUGMENTATION_METHODS)
    assert torch.equal(got, network_input(pixels, 24))


def test_normalised_mean_colour_is_zero() -> None:
    assert normalise(MEAN.expand(1, 3, 2, 2)).abs().max() < 1e-6


# Flip and rotation


def test_a_flip_is_torch_s_flip() -> None:
    images = colours(2)
    flipped = augment(images, randoms(2, flip=0.1), ["horizontal_flip"])
    torch.testing.assert_close(flipped, images.flip(-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(augment(images, randoms(2), ["horizontal_flip"]), images, atol=1e-5, rtol=0)


def test_half_of_the_draws_are_flipped() -> None:
    images = colours(1).expand(1000, -1, -1, -1)
    rows = torch.rand(1000, 6, generator=torch.Generator().manual_seed(0))
    flipped = augment(images, rows, ["horizontal_flip"])
    share = (flipped - images).flatten(1).abs().amax(dim=1).gt(1e-3).float().mean()
    assert 0.45 < share < 0.55


def test_a_turned_disc_is_itself() -> None:
    size = 65
    axis = torch.arange(size) - (size - 1) / 2
    radius = torch.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    disc = torch.sigmoid((20 - radius) / 2).expand(5, 3, size, size)  # a soft edge, so that sampling is smooth
    rows = randoms(5)
    rows[:, 1] = torch.tensor([0.0, 0.2, 0.5, 0.8, 0.999])
    torch.testing.assert_close(augment(disc, rows, ["rotation"]), disc, atol=0.01, rtol=0)


@pytest.mark.parametrize(("random", "degrees"), [(0.0, -15.0), (0.25, -7.5), (0.75, 7.5), (0.999999, 15.0)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_point_is_turned_by_the_drawn_angle_about_the_centre(random: float, degrees: float, flip: bool) -> None:
    assert MAX_ROTATION_DEGREES == 15
    size, radius = 101, 30
    images = torch.zeros(1, 3, size, size)
    images[:, :, 49:52, 50 + radius - 1 : 50 + radius + 2] = 1  # right of the centre
    rows = randoms(1, angle=random, **({"flip": 0.1} if flip else {}))
    turned = augment(images, rows, ["horizontal_flip", "rotation"])[0, 0]
    ys, xs = torch.meshgrid(torch.arange(size) - 50.0, torch.arange(size) - 50.0, indexing="ij")
    x, y = ((turned * axis).sum() / turned.sum() for axis in (xs, ys))
    assert torch.hypot(x, y).item() == pytest.approx(radius, abs=0.5)
    assert abs(torch.rad2deg(torch.atan2(y, x.abs())).item()) == pytest.approx(abs(degrees), abs=0.7)
    assert (x < 0) == flip


@pytest.mark.parametrize("random", [0.0, 0.3, 0.999999])
def test_what_a_turn_brings_in_is_the_image_reflected(random: float) -> None:
    images, angle = colours(2, size=33), math.radians(MAX_ROTATION_DEGREES) * (2 * random - 1)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0]])
    grid = F.affine_grid(turn.expand(2, 2, 3), [2, 3, 33, 33], align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(augment(images, randoms(2, angle=random), ["rotation"]), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", [48, 56, 120])
def test_a_crop_of_any_size_is_turned_about_its_middle(side: int) -> None:
    """Colours that grow evenly to the right and down are turned by closed form, however they are resized."""
    size, angle = 48, math.radians(MAX_ROTATION_DEGREES)
    levels = ((torch.arange(side) + 0.5) / side * 120).round().to(torch.uint8)
    pixels = torch.stack([levels.expand(side, side), levels[:, None].expand(side, side), 0 * levels.expand(side, side)])
    got = network_input(pixels.permute(1, 2, 0)[None], size, randoms(1, angle=1.0), torch.tensor([True]), ["rotation"])
    at = (torch.arange(size) + 0.5) / size - 0.5
    x, y = at * math.cos(angle) - at[:, None] * math.sin(angle), at * math.sin(angle) + at[:, None] * math.cos(angle)
    inside = (x.abs() < 0.45) & (y.abs() < 0.45)
    red, green = (got[0] * STD[0] + MEAN[0])[:2] * 255
    torch.testing.assert_close(red[inside], ((x + 0.5) * 120)[inside], atol=1.5, rtol=0)
    torch.testing.assert_close(green[inside], ((y + 0.5) * 120)[inside], atol=1.5, rtol=0)


def test_a_turned_crop_is_as_sharp_as_an_unturned_one() -> None:
    waves = 128 + 100 * torch.sin(torch.arange(72) * 1.0)  # 6.3 pixels long
    pixels = waves.to(torch.uint8).expand(4, 72, 72)[..., None].expand(-1, -1, -1, 3)
    turned = network_input(pixels, 64, randoms(4, angle=0.7), torch.ones(4, dtype=torch.bool), ["rotation"])
    middle = (..., slice(16, 48), slice(16, 48))
    assert (turned[middle].std() / network_input(pixels, 64)[middle].std()).item() == pytest.approx(1, abs=0.05)


def test_a_crop_much_larger_than_the_input_is_turned_without_aliasing() -> None:
    board = (torch.arange(96)[:, None] + torch.arange(96)) % 2 * 255
    pixels = board.to(torch.uint8).expand(1, 96, 96)[..., None].expand(-1, -1, -1, 3)
    turned = network_input(pixels, 32, randoms(1, angle=0.9), torch.tensor([True]), ["rotation"])
    assert turned[0, 0].std() < 0.1


# Colour


@pytest.mark.parametrize("seed", range(4))
def test_colour_jitter_is_torchvision_s_image_by_image(seed: int) -> None:
    images = colours(6)
    rows = torch.rand(6, 6, generator=torch.Generator().manual_seed(seed))
    got = augment(images, rows, ["color_jitter"])
    for image, row, result in zip(images, rows.tolist(), got, strict=True):
        brightness, contrast, saturation = (1 + JITTER * (2 * random - 1) for random in row[2:5])
        expected = tv.adjust_saturation(
            tv.adjust_contrast(tv.adjust_brightness(image, brightness), contrast), saturation
        )
        torch.testing.assert_close(result, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("column", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("random", [0.0, 0.999])
def test_each_factor_alone_is_torchvision_s(column: str, random: float) -> None:
    images = colours(1)
    adjust = {"brightness": tv.adjust_brightness, "contrast": tv.adjust_contrast, "saturation": tv.adjust_saturation}
    expected = adjust[column](images, 1 + 0.2 * (2 * random - 1))
    got = augment(images, randoms(1, **{column: random}), ["color_jitter"])
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)
    assert (got - images).abs().max() > 0.01


def test_jittered_values_stay_in_range() -> None:
    images = torch.rand(50, 3, 8, 8, generator=torch.Generator().manual_seed(0)).round()
    got = augment(images, torch.rand(50, 6), ["color_jitter"])
    assert got.min() >= 0
    assert got.max() <= 1


def test_each_sample_has_parameters_of_its_own() -> None:
    images = colours(1).expand(16, -1, -1, -1)
    rows = torch.rand(16, 6, generator=torch.Generator().manual_seed(0))
    got = augment(images, rows, AUGMENTATION_METHODS)
    for a in range(16):
        for b in range(a):
            assert (got[a] - got[b]).abs().max() > 1e-3
    again = augment(images, rows, AUGMENTATION_METHODS)
    assert torch.equal(got, again)
