"""Random erasing, against the rectangle drawn and torchvision's function."""

import pytest
import torch
import torchvision.transforms.v2.functional as tv

from skin_tune.data.loading.augmentation import augment, network_input
from skin_tune.data.loading.erasing import erased
from tests.data.loading.images import any_rows, colours, crops, unchanging


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_area_drawn_is_erased(strength: float, share: float) -> None:
    size = 200
    pixels = erased(unchanging(1, erased_area=0.5 + share / 2, erased_shape=0.3), strength, size)
    area = strength * (0.02 + (0.33 - 0.02) * share)
    assert pixels.float().mean().item() == pytest.approx(area, abs=2 / size)


def test_a_rectangle_is_erased_as_by_torchvision() -> None:
    images = colours(1, size=40)
    # A quarter of the area, square: 20 px of 40, from 5 on the right, 10 down.
    rows = unchanging(1, erased_area=0.5 + (0.25 - 0.02) / (0.33 - 0.02) / 2, erased_x=0.26, erased_y=0.51)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    assert torch.equal(augment(images, rows, ["erasing"]), tv.erase(images, i=10, j=5, h=20, w=20, v=mean))


def test_half_of_the_images_stay_as_they_are() -> None:
    images, rows = colours(1).expand(200, -1, -1, -1), any_rows(200)
    same = (augment(images, rows, ["erasing"]) == images).flatten(1).all(dim=1)
    assert 0.4 < same.float().mean() < 0.6


def test_what_is_erased_is_zero_to_the_network_and_nothing_else_changes() -> None:
    pixels, rows = crops(20), any_rows(20)
    got = network_input(pixels, 24, rows, torch.ones(20, dtype=torch.bool), ["erasing"])
    where = erased(rows, 1.0, 24).expand_as(got)
    assert where.any()
    assert (got[where] == 0).all()
    assert torch.equal(got[~where], network_input(pixels, 24)[~where])


def test_never_is_all_of_an_image_erased() -> None:
    assert erased(unchanging(1, erased_area=1), 1e6, 100).float().mean().item() == pytest.approx(0.8, abs=0.02)
