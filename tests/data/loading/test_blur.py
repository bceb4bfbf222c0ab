"""Blur, against the Gaussian and torchvision's."""

import math

import pytest
import torch
import torchvision.transforms.v2.functional as tv

from skin_tune.data.loading.augmentation import augment
from skin_tune.data.loading.blur import blur, blur_kernels, gaussian_kernels
from tests.data.loading.images import any_rows, colours, unchanging


def test_an_even_image_stays_as_it_is() -> None:
    images = torch.rand(3, 3, 1, 1).expand(3, 3, 12, 12)
    torch.testing.assert_close(blur(images, gaussian_kernels(torch.tensor([0.3, 1.0, 2.5]), 6)), images)


def test_a_point_becomes_a_gaussian() -> None:
    sigmas, radius = [0.6, 1.0, 1.9], 7
    point = torch.zeros(3, 3, 21, 21)
    point[:, :, 10, 10] = 1
    got = blur(point, gaussian_kernels(torch.tensor(sigmas), radius))
    squares = (torch.arange(21) - 10) ** 2
    for image, sigma in zip(got, sigmas, strict=True):
        density = torch.exp(-(squares[:, None] + squares) / (2 * sigma**2))
        density[:, squares > radius**2] = density[squares > radius**2] = 0
        torch.testing.assert_close(image, (density / density.sum()).expand(3, -1, -1), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("radius", [1, 3, 6])
def test_each_image_is_blurred_as_by_torchvision(radius: int) -> None:
    images, sigmas = colours(4), [0.2, 0.7, 1.1, 2.0]
    got = blur(images, gaussian_kernels(torch.tensor(sigmas), radius))
    for image, sigma, result in zip(images, sigmas, got, strict=True):
        expected = tv.gaussian_blur(image, [2 * radius + 1, 2 * radius + 1], [sigma, sigma])
        torch.testing.assert_close(result, expected, atol=1e-6, rtol=1e-5)


def test_half_of_the_draws_stay_sharp_to_the_bit() -> None:
    images, rows = colours(1).expand(200, -1, -1, -1), any_rows(200)
    same = (augment(images, rows, ["blur"], 40.0) == images).flatten(1).all(dim=1)
    assert 0.4 < same.float().mean() < 0.6


@pytest.mark.parametrize(("strength", "size"), [(1.0, 224), (2.0, 224), (3.5, 64)])
def test_the_widest_is_that_share_of_the_side(strength: float, size: int) -> None:
    sigma = strength * size / 224
    kernel = blur_kernels(unchanging(1, blur=1), strength, size)[0]
    assert len(kernel) == 2 * math.ceil(3 * sigma) + 1
    at = torch.arange(len(kernel)) - len(kernel) // 2
    assert (kernel * at**2).sum().item() == pytest.approx(sigma**2, rel=0.05)  # cut off at three of them
