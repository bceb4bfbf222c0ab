"""Flip, rotation, crop and translation, against closed forms and torchvision's transforms."""

import math

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from torch import Tensor

from skin_tune.data.loading.augmentation import augment, network_input, resize
from skin_tune.data.loading.geometry import MAX_ROTATION_DEGREES
from skin_tune.data.loading.randoms import Column
from tests.data.loading.images import any_rows, colours, unchanging

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

MOVES = ("horizontal_flip", "rotation", "random_resized_crop", "translation")


# Flip and rotation


def test_a_flip_is_torch_s_flip() -> None:
    images = colours(2)
    flipped = augment(images, unchanging(2, flip=0.1), ["horizontal_flip"])
    torch.testing.assert_close(flipped, images.flip(-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(augment(images, unchanging(2), ["horizontal_flip"]), images, atol=1e-5, rtol=0)


def test_half_of_the_draws_are_flipped() -> None:
    images = colours(1).expand(1000, -1, -1, -1)
    rows = any_rows(1000)
    flipped = augment(images, rows, ["horizontal_flip"])
    share = (flipped - images).flatten(1).abs().amax(dim=1).gt(1e-3).float().mean()
    assert 0.45 < share < 0.55


def test_a_turned_disc_is_itself() -> None:
    size = 65
    axis = torch.arange(size) - (size - 1) / 2
    radius = torch.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    disc = torch.sigmoid((20 - radius) / 2).expand(5, 3, size, size)  # a soft edge, so that sampling is smooth
    rows = unchanging(5)
    rows[:, 1] = torch.tensor([0.0, 0.2, 0.5, 0.8, 0.999])
    torch.testing.assert_close(augment(disc, rows, ["rotation"]), disc, atol=0.01, rtol=0)


@pytest.mark.parametrize(("random", "degrees"), [(0.0, -15.0), (0.25, -7.5), (0.75, 7.5), (0.999999, 15.0)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_point_is_turned_by_the_drawn_angle_about_the_centre(random: float, degrees: float, flip: bool) -> None:
    assert MAX_ROTATION_DEGREES == 15
    size, radius = 101, 30
    images = torch.zeros(1, 3, size, size)
    images[:, :, 49:52, 50 + radius - 1 : 50 + radius + 2] = 1  # right of the centre
    rows = unchanging(1, angle=random, **({"flip": 0.1} if flip else {}))
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
    torch.testing.assert_close(augment(images, unchanging(2, angle=random), ["rotation"]), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", [48, 56, 120])
def test_a_crop_of_any_size_is_turned_about_its_middle(side: int) -> None:
    """Colours that grow evenly to the right and down are turned by closed form, however they are resized."""
    size, angle = 48, math.radians(MAX_ROTATION_DEGREES)
    levels = ((torch.arange(side) + 0.5) / side * 120).round().to(torch.uint8)
    pixels = torch.stack([levels.expand(side, side), levels[:, None].expand(side, side), 0 * levels.expand(side, side)])
    rows, chosen = unchanging(1, angle=1.0), torch.tensor([True])
    got = network_input(pixels.permute(1, 2, 0)[None], size, rows, chosen, ["rotation"])
    at = (torch.arange(size) + 0.5) / size - 0.5
    x, y = at * math.cos(angle) - at[:, None] * math.sin(angle), at * math.sin(angle) + at[:, None] * math.cos(angle)
    inside = (x.abs() < 0.45) & (y.abs() < 0.45)
    red, green = (got[0] * STD[0] + MEAN[0])[:2] * 255
    torch.testing.assert_close(red[inside], ((x + 0.5) * 120)[inside], atol=1.5, rtol=0)
    torch.testing.assert_close(green[inside], ((y + 0.5) * 120)[inside], atol=1.5, rtol=0)


def test_a_turned_crop_is_as_sharp_as_an_unturned_one() -> None:
    waves = 128 + 100 * torch.sin(torch.arange(72) * 1.0)  # 6.3 pixels long
    pixels = waves.to(torch.uint8).expand(4, 72, 72)[..., None].expand(-1, -1, -1, 3)
    turned = network_input(pixels, 64, unchanging(4, angle=0.7), torch.ones(4, dtype=torch.bool), ["rotation"])
    middle = (..., slice(16, 48), slice(16, 48))
    assert (turned[middle].std() / network_input(pixels, 64)[middle].std()).item() == pytest.approx(1, abs=0.05)


def test_a_crop_much_larger_than_the_input_is_turned_without_aliasing() -> None:
    board = (torch.arange(96)[:, None] + torch.arange(96)) % 2 * 255
    pixels = board.to(torch.uint8).expand(1, 96, 96)[..., None].expand(-1, -1, -1, 3)
    turned = network_input(pixels, 32, unchanging(1, angle=0.9), torch.tensor([True]), ["rotation"])
    assert turned[0, 0].std() < 0.1


def test_strength_scales_the_angle() -> None:
    images = colours(3)
    expected = augment(images, unchanging(3, angle=0.8), ["rotation"])
    for angle, strength in ((0.6, 3.0), (0.95, 2 / 3)):
        got = augment(images, unchanging(3, angle=angle), ["rotation"], strength)
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


# Crop


def test_a_crop_of_the_whole_image_is_the_image() -> None:
    images = colours(2)
    got = augment(images, unchanging(2, crop_area=0), ["random_resized_crop"])
    torch.testing.assert_close(got, images, atol=1e-5, rtol=0)


def test_a_crop_is_torchvision_s() -> None:
    """A quarter of the image, 16 of 32 px, at strength 1.5; at its edges torchvision does not look outside."""
    images = colours(2, size=32)
    rows = unchanging(2, crop_area=1, crop_shape=0.5, crop_x=0.25, crop_y=0.75)
    got = augment(images, rows, ["random_resized_crop"], 1.5)
    expected = tv.resized_crop(images, top=12, left=4, height=16, width=16, size=[32, 32], antialias=False)
    inside = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(got[inside], expected[inside], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("strength", "smallest"), [(0.5, 0.75), (1.0, 0.5), (1.8, 0.1), (9.0, 0.08)])
def test_strength_sets_the_smallest_crop(strength: float, smallest: float) -> None:
    """Of a square crop, whose side is the slope of what was an even growth to the right."""
    ramp = torch.arange(64) / 64
    got = augment(ramp.expand(1, 3, 64, 64), unchanging(1, crop_area=1), ["random_resized_crop"], strength)[0, 0, 32]
    assert (2 * (got[48] - got[16])).item() == pytest.approx(smallest**0.5, rel=1e-3)


def stripes(side: int, period: float) -> Tensor:
    """uint8 [1, side, side, 3], which waves to the right."""
    waves = 128 + 100 * torch.sin(torch.arange(side) * 2 * math.pi / period)
    return waves.to(torch.uint8).expand(1, side, side)[..., None].expand(-1, -1, -1, 3)


def test_a_crop_of_a_larger_image_has_detail_that_a_resized_one_has_lost() -> None:
    pixels, rows, chosen = stripes(160, period=6), unchanging(1, crop_area=1), torch.tensor([True])
    resized = (resize(pixels, 64) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    cropped, of_resized = (network_input(each, 64, rows, chosen, ["random_resized_crop"]) for each in (pixels, resized))
    assert cropped.std() > 1.2 * of_resized.std()


@pytest.mark.parametrize("area", [0.0, 0.5, 1.0])
def test_a_crop_of_a_much_larger_image_does_not_alias(area: float) -> None:
    board = (torch.arange(96)[:, None] + torch.arange(96)) % 2 * 255
    pixels = board.to(torch.uint8).expand(1, 96, 96)[..., None].expand(-1, -1, -1, 3)
    rows = unchanging(1, crop_area=area, angle=0.9)
    got = network_input(pixels, 32, rows, torch.tensor([True]), ["rotation", "random_resized_crop"])
    assert got[0, 0].std() < 0.1


# Translation


def test_a_translation_is_torchvision_s() -> None:
    images = colours(2, size=40)
    got = augment(images, unchanging(2, shift_x=1, shift_y=0.25), ["translation"])  # 5 and -2.5 % of 40 px
    expected = tv.affine(images, angle=0, translate=[2, -1], scale=1, shear=[0.0, 0.0])
    inside = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(got[inside], expected[inside], atol=1e-5, rtol=0)


# All of them


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("strength", [0.4, 1.0, 1.6])
def test_moves_are_one_affine_map(seed: int, strength: float) -> None:
    """The image is cropped, flipped, turned, shifted: read backwards, a product of four matrices."""
    images, rows = colours(1, size=33), any_rows(1, seed)
    flip = -1.0 if rows[0, Column.FLIP] < 0.5 else 1.0
    turn = math.radians(MAX_ROTATION_DEGREES * strength * (2 * rows[0, Column.ANGLE].item() - 1))
    shift_x = 0.1 * strength * (2 * rows[0, Column.SHIFT_X].item() - 1)
    shift_y = 0.1 * strength * (2 * rows[0, Column.SHIFT_Y].item() - 1)
    area = 1 - 0.5 * strength * rows[0, Column.CROP_AREA].item()
    log_ratio = min(strength * math.log(4 / 3), -math.log(area)) * (2 * rows[0, Column.CROP_SHAPE].item() - 1)
    width, height = math.sqrt(area * math.exp(log_ratio)), math.sqrt(area / math.exp(log_ratio))
    x = (1 - width) * (2 * rows[0, Column.CROP_X].item() - 1)
    y = (1 - height) * (2 * rows[0, Column.CROP_Y].item() - 1)
    cos, sin = math.cos(turn), math.sin(turn)
    matrix = (
        torch.tensor([[width, 0, x], [0, height, y], [0, 0, 1]])
        @ torch.tensor([[flip, 0, 0], [0, 1, 0], [0, 0, 1.0]])
        @ torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        @ torch.tensor([[1, 0, -shift_x], [0, 1, -shift_y], [0, 0, 1]])
    )
    grid = F.affine_grid(matrix[None, :2], [1, 3, 33, 33], align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(augment(images, rows, MOVES, strength), expected, atol=1e-4, rtol=0)
