"""Batches come in the order asked for, whether they are gathered ahead or one by one."""

import threading

import numpy as np
import pytest
import torch

from skin_tune.data.loading.prefetch import map_ahead, prefetched
from skin_tune.data.pack.images import Images


def test_prefetched_batches_hold_the_rows_asked_for_in_order() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    steps = [np.array([3, 3, 19]), np.array([0]), np.array([7, 2, 5, 11]), np.array([1, 4])]
    batches = list(prefetched(Images(images), steps, torch.device("cpu")))
    assert len(batches) == len(steps)
    for step, batch in zip(steps, batches, strict=True):
        assert batch.dtype == torch.uint8
        np.testing.assert_array_equal(batch.numpy(), images[step])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_map_ahead_keeps_the_order_of_its_items(count: int) -> None:
    assert list(map_ahead(lambda number: number * number, range(count), ahead=2)) == [n * n for n in range(count)]


def test_map_ahead_works_in_front_of_its_reader_and_no_further_than_told() -> None:
    begun: list[int] = []
    third = threading.Event()

    def record(number: int) -> int:
        begun.append(number)
        if number == 2:
            third.set()
        return number

    results = map_ahead(record, range(100), ahead=2)
    assert next(results) == 0
    assert third.wait(timeout=60)  # begun without being asked for
    assert begun == [0, 1, 2]
    results.close()
    assert begun == [0, 1, 2]


def test_map_ahead_raises_where_the_result_would_have_been() -> None:
    results = map_ahead(lambda number: 1 // (number - 2), range(5), ahead=2)
    assert [next(results), next(results)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gather")]
