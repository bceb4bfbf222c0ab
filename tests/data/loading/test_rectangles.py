"""Rectangles have the area that is drawn, a shape in its range, and lie inside."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skin_tune.data.loading.rectangles import draw_rectangles

uniform = st.floats(0, 1, exclude_max=True, width=32)


@given(st.floats(0.01, 1), st.floats(1, 5), uniform, uniform, uniform)
def test_a_rectangle_is_as_asked_and_lies_inside(area: float, largest: float, shape: float, x: float, y: float) -> None:
    box = draw_rectangles(torch.tensor([area]), largest, torch.tensor([[shape, x, y]]))
    left, top, width, height = (part.item() for part in box)
    assert width * height == pytest.approx(area, rel=1e-5)
    assert 1 / largest - 1e-4 <= width / height <= largest + 1e-4
    assert left >= 0
    assert top >= 0
    assert left + width <= 1 + 1e-6
    assert top + height <= 1 + 1e-6


def test_shapes_and_places_reach_their_ends() -> None:
    corners = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    box = draw_rectangles(torch.tensor([0.25, 0.25]), 2.0, corners)
    torch.testing.assert_close(box.width, torch.tensor([math.sqrt(0.125), math.sqrt(0.5)]))
    torch.testing.assert_close(box.height, torch.tensor([math.sqrt(0.5), math.sqrt(0.125)]))
    torch.testing.assert_close(box.left + box.width, torch.tensor([math.sqrt(0.125), 1.0]))
    torch.testing.assert_close(box.top + box.height, torch.tensor([math.sqrt(0.5), 1.0]))


def test_the_shape_of_a_large_one_is_what_fits() -> None:
    box = draw_rectangles(torch.tensor([0.9]), 2.0, torch.tensor([[1.0, 0.5, 0.5]]))
    torch.testing.assert_close(torch.cat([box.width, box.height]), torch.tensor([1.0, 0.9]))
