"""What the network sees, against torchvision's own transforms and closed forms."""

import pytest
import torch
import torchvision.transforms.v2.functional as tv

from skin_tune.config import AUGMENTATION_METHODS
from skin_tune.data.loading.augmentation import augment, network_input, normalise, resize
from skin_tune.data.loading.randoms import Column
from tests.data.loading.images import any_rows, colours, crops, unchanging

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

COLUMNS = {
    "horizontal_flip": [Column.FLIP],
    "rotation": [Column.ANGLE],
    "color_jitter": [Column.BRIGHTNESS, Column.CONTRAST, Column.SATURATION],
    "random_resized_crop": [Column.CROP_AREA, Column.CROP_SHAPE, Column.CROP_X, Column.CROP_Y],
    "translation": [Column.SHIFT_X, Column.SHIFT_Y],
    "hue": [Column.HUE],
    "blur": [Column.BLUR],
    "erasing": [Column.ERASED_AREA, Column.ERASED_SHAPE, Column.ERASED_X, Column.ERASED_Y],
}
"""What each method reads of a row."""


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
    pixels, rows = crops(4), any_rows(4)
    chosen = torch.ones(4, dtype=torch.bool)
    assert torch.equal(network_input(pixels, 24, rows, chosen, ()), network_input(pixels, 24))
    images = colours(4)
    assert torch.equal(augment(images, rows, ()), images)


def test_only_the_chosen_draws_are_augmented() -> None:
    pixels = crops(40)
    chosen = torch.arange(40) % 3 == 0
    plain = network_input(pixels, 24)
    got = network_input(pixels, 24, any_rows(40), chosen, AUGMENTATION_METHODS)
    assert torch.equal(got[~chosen], plain[~chosen])
    assert all(not torch.equal(got[row], plain[row]) for row in chosen.nonzero().flatten())


def test_a_batch_gives_what_its_images_give_alone() -> None:
    pixels, rows, chosen = crops(37, size=30), any_rows(37), torch.arange(37) % 2 == 0
    together = network_input(pixels, 24, rows, chosen, AUGMENTATION_METHODS)
    alone = [
        network_input(pixels[n : n + 1], 24, rows[n : n + 1], chosen[n : n + 1], AUGMENTATION_METHODS)
        for n in range(37)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)


def test_the_pixels_given_are_left_as_they_were() -> None:
    pixels = crops(4)
    before = pixels.clone()
    network_input(pixels, 24, any_rows(4), torch.ones(4, dtype=torch.bool), AUGMENTATION_METHODS)
    assert torch.equal(pixels, before)


def test_nothing_chosen_is_no_fault() -> None:
    pixels = crops(4)
    got = network_input(pixels, 24, any_rows(4), torch.zeros(4, dtype=torch.bool), AUGMENTATION_METHODS)
    assert torch.equal(got, network_input(pixels, 24))


def test_normalised_mean_colour_is_zero() -> None:
    assert normalise(MEAN.expand(1, 3, 2, 2)).abs().max() < 1e-6


# Any method


def test_each_sample_has_parameters_of_its_own() -> None:
    images = colours(1).expand(16, -1, -1, -1)
    rows = any_rows(16)
    got = augment(images, rows, AUGMENTATION_METHODS)
    for a in range(16):
        for b in range(a):
            assert (got[a] - got[b]).abs().max() > 1e-3
    again = augment(images, rows, AUGMENTATION_METHODS)
    assert torch.equal(got, again)


@pytest.mark.parametrize("method", AUGMENTATION_METHODS)
def test_each_method_changes_images_at_its_full_strength_and_none_but_a_flip_at_0(method: str) -> None:
    images, rows = colours(20), any_rows(20)
    assert not torch.equal(augment(images, rows, [method], 4.0), images)
    assert torch.equal(augment(images, rows, [method], 0.0), images) == (method != "horizontal_flip")


@pytest.mark.parametrize("size", [24, 40])
def test_at_strength_0_the_input_is_that_of_validation(size: int) -> None:
    pixels, methods = crops(6, size=size), [name for name in AUGMENTATION_METHODS if name != "horizontal_flip"]
    got = network_input(pixels, 24, any_rows(6), torch.ones(6, dtype=torch.bool), methods, 0.0)
    assert torch.equal(got, network_input(pixels, 24))


@pytest.mark.parametrize("strength", [0.01, 3.0, 1e6])
def test_values_stay_in_range_at_any_strength(strength: float) -> None:
    got = augment(torch.rand(40, 3, 16, 16).round(), any_rows(40), AUGMENTATION_METHODS, strength)
    assert got.min() >= 0
    assert got.max() <= 1 + 1e-6


def test_rows_that_change_nothing_change_nothing() -> None:
    images = colours(3)
    torch.testing.assert_close(augment(images, unchanging(3), AUGMENTATION_METHODS), images, atol=1e-5, rtol=0)


def test_what_sets_one_method_leaves_the_others_alone() -> None:
    columns = [set(COLUMNS[method]) for method in AUGMENTATION_METHODS]
    assert sum(map(len, columns)) == len(set().union(*columns))
    images, rows = colours(8), any_rows(8)
    for method in AUGMENTATION_METHODS:
        other = any_rows(8, seed=1)
        other[:, COLUMNS[method]] = rows[:, COLUMNS[method]]
        assert torch.equal(augment(images, other, [method]), augment(images, rows, [method])), method
