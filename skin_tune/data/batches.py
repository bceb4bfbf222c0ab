"""Crops from a pack to the device; a GPU's next batches are gathered while it works on this one."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_AHEAD = 2
"""Batches gathered before they are asked for."""


def prefetched(
    images: npt.NDArray[np.uint8], index_batches: Sequence[npt.NDArray[np.int64]], device: torch.device
) -> Iterator[Tensor]:
    """uint8 batches [B, H, W, 3] of `images` [N, H, W, 3] on `device`, one per entry of `index_batches`, in order.

    On a CPU each is gathered when it is asked for: a thread has no idle core to run on there, and costs a tenth of
    the input path at 64 px.
    """
    on_gpu = device.type == "cuda"

    def gathered(indices: npt.NDArray[np.int64]) -> Tensor:
        batch = torch.empty((len(indices), *images.shape[1:]), dtype=torch.uint8, pin_memory=on_gpu)
        np.take(images, indices, axis=0, out=batch.numpy(), mode="clip")  # "clip" writes to `out` without a buffer
        return batch

    batches = map_ahead(gathered, index_batches, _AHEAD) if on_gpu else map(gathered, index_batches)
    for batch in batches:
        yield batch.to(device, non_blocking=on_gpu)


def map_ahead(
    function: Callable[[_Item], _Result], items: Iterable[_Item], ahead: int
) -> Generator[_Result, None, None]:
    """`map(function, items)`, with one thread working up to `ahead` results in front of the one last asked for.

    What `function` raises is raised where its result would have been.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="gather") as thread:
        waiting: deque[Future[_Result]] = deque()
        try:
            for item in items:
                waiting.append(thread.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
