"""What a second trial on a node adds to its memory for data that the first has open already."""

import multiprocessing
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil
import torch

from benchmarks.rows import Row, noise_pack
from skin_tune.data.loading.prefetch import prefetched
from skin_tune.data.pack.format import Pack, open_pack
from tests.local import local

_IMAGES = 2000
_BATCH = 64


def measure() -> list[Row]:
    """Private memory gained by reading a whole pack of 256 px images, as a share of the pack."""
    with tempfile.TemporaryDirectory() as name:
        small, pack = (_pack(Path(name) / str(images), images) for images in (4 * _BATCH, _IMAGES))
        context = multiprocessing.get_context("spawn")
        trials = []
        for _ in range(2):
            ours, theirs = context.Pipe()
            process = context.Process(target=_trial, args=(small, pack, theirs))
            process.start()
            gained = ours.recv()
            trials.append((process, ours))
        for process, ours in trials:
            ours.send("end")
            process.join()
        share = max(0, gained) / pack.stat().st_size
    return [
        Row("private memory of a second trial for data / size of the pack", share, "ratio", "<= 0.02", share <= 0.02)
    ]


def _pack(folder: Path, images: int) -> Path:
    folder.mkdir()
    return local(noise_pack(folder, {"train": [images // 2] * 2, "val": [2, 2], "test": [2, 2]}, 256).path)


def _trial(small: Path, large: Path, pipe: Connection) -> None:
    """Reads a small pack, which takes libraries and a few batches, then a large one; sends what that takes more."""
    torch.set_num_threads(1)
    before = _private_after_an_epoch(open_pack(small))
    pack = open_pack(large)
    pipe.send(_private_after_an_epoch(pack) - before)
    pipe.recv()


def _private_after_an_epoch(pack: Pack) -> int:
    rows = np.random.default_rng(0).permutation(pack.indices("train"))
    for _ in prefetched(pack.images, np.array_split(rows, len(rows) // _BATCH), torch.device("cpu")):
        pass
    return int(psutil.Process().memory_full_info().uss)
