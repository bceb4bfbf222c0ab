"""Crops from a pack to the device; a GPU's next batches are gathered while it works on this one."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from skin_tune.data.pack.images import Images

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_AHEAD = 2
"""Batches gathered before they are asked for."""


def prefetched(
    images: Images,
    index_batches: Sequence[npt.NDArray[np.int64]],
    device: torch.device,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Tensor]:
    """uint8 batches [B, H, W, 3] of `images` [N, H, W, 3] on `device`, one per entry of `index_batches`, in order.

    `check` is called right before each is gathered: a mapped file that was cut short ends the process that reads it.

    A GPU is sent its next batches on a stream of their own, beside what it computes. On a CPU each is gathered when it
    is asked for: a thread has no idle core to run on there, and costs a tenth of the input path at 64 px.
    """

    def gathered(indices: npt.NDArray[np.int64]) -> Tensor:
        check()
        batch = torch.empty((len(indices), *images.shape[1:]), dtype=torch.uint8, pin_memory=device.type == "cuda")
        images.take(indices, out=batch.numpy())
        return batch

    if device.type != "cuda":
        yield from map(gathered, index_batches)
        return
    sending = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def sent(indices: npt.NDArray[np.int64]) -> tuple[Tensor, torch.cuda.Event]:
        with torch.cuda.stream(sending):
            return gathered(indices).to(device, non_blocking=True), sending.record_event()

    for batch, arrived in map_ahead(sent, index_batches, _AHEAD):
        arrived.wait()
        batch.record_stream(torch.cuda.current_stream(device))  # its memory is not sent to again while it is read
        yield batch


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
