import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from skin_tune.data.pack import Pack, PackInfo, PackRows, open_pack, write_pack
from skin_tune.data.split import SPLITS

# A shell starts background jobs deaf to Ctrl-C, and the commands that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

PackMaker = Callable[..., Pack]


def write_synthetic_pack(
    path: Path,
    counts: dict[str, Sequence[int]] | None = None,
    *,
    size: int = 32,
    region: str = "lip_dryness",
    seed: int = 0,
) -> Pack:
    """A pack whose images grow brighter with their grade; `counts` gives images per split and grade."""
    counts = counts or {"train": (24, 12, 6), "val": (8, 6, 4), "test": (8, 6, 4)}
    rng = np.random.default_rng(seed)
    classes = [str(grade) for grade in range(len(counts["train"]))]
    labels, split = [], []
    for code, name in enumerate(SPLITS):
        for grade, count in enumerate(counts[name]):
            labels += [grade] * count
            split += [code] * count
    level = 40 + 160 * np.array(labels) / max(len(classes) - 1, 1)
    images = rng.normal(level[:, None, None, None], 25, (len(labels), size, size, 3)).clip(0, 255).astype(np.uint8)
    names = [f"s{row:04d}" for row in range(len(labels))]
    info = PackInfo(
        region=region,
        classes=classes,
        size=size,
        split_seed=0,
        split_ratios=[60, 20, 20],
        counts={name: dict(zip(classes, map(int, counts[name]), strict=True)) for name in SPLITS},
        pack_id=f"synthetic-{seed}",
    )
    blank = [""] * len(labels)
    rows = PackRows(np.array(labels, np.int16), np.array(split, np.int8), names, names, blank, blank)
    write_pack(path, images, rows, info)
    return open_pack(path)


@pytest.fixture
def make_pack(tmp_path: Path) -> PackMaker:
    """Write a synthetic pack below `tmp_path` and open it."""

    def make(counts: dict[str, Sequence[int]] | None = None, *, name: str = "synthetic", **options: object) -> Pack:
        return write_synthetic_pack(tmp_path / f"{name}.arrow", counts, **options)  # type: ignore[arg-type]

    return make
