"""The images of a pack are chosen alike, whether it holds them in order or shares them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_tune.data.pack.images import Images

MAPPED = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), dtype=np.uint8)
PLACES = np.array([7, 2, 2, 0, 8])
BOTH = pytest.mark.parametrize("images", [Images(MAPPED), Images(MAPPED, PLACES)], ids=["own", "shared"])

numbers = st.integers(-5, 4)
chosen = (
    numbers
    | st.lists(numbers, min_size=1, max_size=7).map(np.array)
    | st.lists(st.booleans(), min_size=5, max_size=5).map(np.array)
    | st.builds(slice, st.none() | numbers, st.none() | numbers, st.none() | st.sampled_from([-2, -1, 1, 3]))
)


@given(rows=chosen)
def test_rows_give_what_they_give_of_an_array(rows: Any):
    np.testing.assert_array_equal(Images(MAPPED, PLACES)[rows], MAPPED[PLACES][rows])
    np.testing.assert_array_equal(Images(MAPPED[:5])[rows], MAPPED[:5][rows])


@BOTH
def test_they_are_an_array_to_numpy(images: Images):
    pixels = np.asarray(images)
    assert (len(images), images.dtype, images.nbytes) == (len(pixels), pixels.dtype, pixels.nbytes)
    assert images.shape == pixels.shape
    np.testing.assert_array_equal(np.stack(list(images)), pixels)
    assert np.array(images, dtype=np.float32).dtype == np.float32


@BOTH
def test_a_batch_is_put_where_it_is_wanted(images: Images):
    rows = np.array([4, 0, 0, 3])
    out = np.zeros((4, 4, 4, 3), np.uint8)
    images.take(rows, out)
    np.testing.assert_array_equal(out, images[rows])


def test_images_of_their_own_are_views_and_so_is_a_single_one_that_is_shared():
    assert np.shares_memory(Images(MAPPED)[2:4], MAPPED)
    assert np.shares_memory(Images(MAPPED, PLACES)[4], MAPPED)


@BOTH
def test_what_is_no_row_is_refused(images: Images):
    with pytest.raises(IndexError, match=r"write images\[rows\]\[\.\.\.\]"):
        images[0, 1]
    with pytest.raises(IndexError):
        images[9]
    with pytest.raises(TypeError):
        images[0] = 0
