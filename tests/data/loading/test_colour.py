"""Brightness, contrast, saturation and hue, against torchvision's functions and closed forms."""

import pytest
import torch
import torchvision.transforms.v2.functional as tv

from skin_tune.data.loading.augmentation import augment
from skin_tune.data.loading.colour import JITTER, MAX_HUE, hue_maps, recolour
from skin_tune.data.loading.randoms import Column
from tests.data.loading.images import any_rows, colours, unchanging


@pytest.mark.parametrize("seed", range(4))
def test_colour_jitter_is_torchvision_s_image_by_image(seed: int) -> None:
    images = colours(6)
    rows = any_rows(6, seed=seed)
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
    got = augment(images, unchanging(1, **{column: random}), ["color_jitter"])
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)
    assert (got - images).abs().max() > 0.01


def test_jittered_values_stay_in_range() -> None:
    images = torch.rand(50, 3, 8, 8, generator=torch.Generator().manual_seed(0)).round()
    got = augment(images, any_rows(50), ["color_jitter"])
    assert got.min() >= 0
    assert got.max() <= 1


def test_strength_scales_the_jitter_and_keeps_it_above_black() -> None:
    images = colours(1)
    stronger = augment(images, unchanging(1, brightness=0.75), ["color_jitter"], 2.0)
    torch.testing.assert_close(stronger, tv.adjust_brightness(images, 1.2), atol=1e-5, rtol=0)
    darkest = augment(images, unchanging(1, brightness=0), ["color_jitter"], 50.0)
    assert torch.equal(darkest, torch.zeros_like(images))


def test_saturation_keeps_the_luma() -> None:
    images = colours(5)
    rows = unchanging(5)
    rows[:, Column.SATURATION] = torch.linspace(0, 1, 5)
    lumas = [tv.rgb_to_grayscale(batch) for batch in (images, augment(images, rows, ["color_jitter"]))]
    torch.testing.assert_close(*lumas, atol=1e-3, rtol=0)  # torchvision rounds the weights to four places


# Hue

TURNS = torch.tensor([-0.5, -0.31, -0.05, 0.0, 0.02, 0.17, 0.5])


def test_no_turn_is_the_identity_and_so_is_half_a_turn_twice() -> None:
    eye = torch.eye(3)
    torch.testing.assert_close(hue_maps(torch.zeros(1))[0], eye)
    half = hue_maps(torch.tensor([0.5]))[0]
    assert (half - eye).abs().max() > 0.5
    torch.testing.assert_close(half @ half, eye, atol=1e-6, rtol=0)


def test_turns_add_up() -> None:
    whole = hue_maps(torch.full((7,), 0.2))
    torch.testing.assert_close(hue_maps(TURNS) @ hue_maps(0.2 - TURNS), whole, atol=1e-6, rtol=0)


def test_it_is_a_rotation_about_the_grey_axis() -> None:
    maps = hue_maps(TURNS)
    torch.testing.assert_close(maps @ maps.mT, torch.eye(3).expand(7, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(maps), torch.ones(7))
    torch.testing.assert_close(maps @ torch.ones(3), torch.ones(7, 3))
    torch.testing.assert_close(maps.diagonal(dim1=1, dim2=2).sum(dim=1), 1 + 2 * torch.cos(2 * torch.pi * TURNS))


@pytest.mark.parametrize("turn", [1 / 3, -1 / 3])
def test_a_third_of_a_turn_is_torchvision_s(turn: float) -> None:
    images = colours(3)
    got = recolour(images, hue_maps(torch.full((3,), turn)), torch.zeros(3, 3))
    torch.testing.assert_close(got, tv.adjust_hue(images, turn), atol=1e-5, rtol=0)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_colours_turn_towards_the_drawn_side_and_greys_stay(strength: float) -> None:
    red = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    rows = unchanging(2)
    rows[:, Column.HUE] = torch.tensor([0.0, 1.0])
    backwards, onwards = augment(red, rows, ["hue"], strength)[:, :, 0, 0]
    torch.testing.assert_close(backwards[[0, 2, 1]], onwards)  # to blue, to green
    chroma = onwards - onwards.mean()
    to_red, across = torch.tensor([1.0, -0.5, -0.5]), torch.tensor([0.0, 0.75**0.5, -(0.75**0.5)])
    angle = torch.atan2(chroma @ across, chroma @ to_red)
    assert (angle / (2 * torch.pi)).item() == pytest.approx(MAX_HUE * strength, rel=1e-3)
    greys = torch.rand(2, 1, 4, 4).expand(2, 3, 4, 4)
    torch.testing.assert_close(augment(greys, rows, ["hue"], strength), greys)


def test_hue_comes_after_the_jitter() -> None:
    images, rows = colours(6), any_rows(6)
    one_by_one = augment(augment(images, rows, ["color_jitter"]), rows, ["hue"])
    torch.testing.assert_close(augment(images, rows, ["color_jitter", "hue"]), one_by_one, atol=1e-5, rtol=0)
