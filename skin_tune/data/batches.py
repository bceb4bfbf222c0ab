"""Crops from a pack to the device, gathered while the device works on the batch before."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_AHEAD = 2
"""Batches gathered before they are asked for."""


def prefetched(
    images: npt.NDArray[np.uint8], index_batches: Sequence[npt.NDArray[np.int64]], device: torch.device
) -> Iterator[Tensor]:
    """uint8 batches [B, H, W, 3] of `images` [N, H, W, 3] on `device`, one per entry of `index_batches`, in order."""
    pinned = device.type == "cuda"

    def gathered(indices: npt.NDArray[np.int64]) -> Tensor:
        batch = torch.empty((len(indices), *images.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        np.take(images, indices, axis=0, out=batch.numpy(), mode="clip")  # "clip" writes to `out` without a buffer
        return batch

    with ThreadPoolExecutor(1, thread_name_prefix="gather") as thread:
        waiting: deque[Future[Tensor]] = deque()
        for indices in index_batches:
            waiting.append(thread.submit(gathered, indices))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result().to(device, non_blocking=pinned)
        while waiting:
            yield waiting.popleft().result().to(device, non_blocking=pinned)
