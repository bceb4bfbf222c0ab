"""What a benchmark reports, and the synthetic pack they share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.layout.info import PackInfo, content_id, image_digest
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.data.pack.writer import PackRows, write_pack


@dataclass(frozen=True)
class Row:
    """One measured figure and the bar it is held against."""

    name: str
    value: float
    unit: str
    bar: str
    ok: bool


def noise_pack(folder: Path, counts: dict[str, list[int]], size: int, region: str = "forehead_wrinkle") -> Pack:
    """A pack of random pixels with `counts` images per split and grade."""
    classes = [str(grade) for grade in range(len(counts["train"]))]
    label = np.concatenate([np.repeat(np.arange(len(classes)), counts[name]) for name in SPLITS]).astype(np.int16)
    split = np.repeat(np.arange(3), [sum(counts[name]) for name in SPLITS]).astype(np.int8)
    images = np.random.default_rng(0).integers(0, 256, (len(label), size, size, 3), dtype=np.uint8)
    names = [f"s{row}" for row in range(len(label))]
    per_split = {name: dict(zip(classes, counts[name], strict=True)) for name in SPLITS}
    digests = [image_digest(image.data) for image in images]
    pack_id = content_id(region, classes, size, digests, label.tolist(), split.tolist(), names, True)
    info = PackInfo(region, classes, size, 0, [60, 20, 20], per_split, pack_id)
    path = folder / f"{region}-{size}.arrow"
    write_pack(path, images, PackRows(label, split, names, names), info)
    return open_pack(path)


def small_config(*, image_size: int, batch_size: int, epochs: int) -> dict[str, str | int]:
    """A ResNet-18 from random weights, its epochs without oversampling or warm-up."""
    return {
        "backbone": "resnet18",
        "weights": "none",
        "image_size": image_size,
        "batch_size": batch_size,
        "oversample": "none",
        "warmup_epochs": 0,
        "epochs": epochs,
    }


def small_space(folder: Path, config: dict[str, str | int], **keys: object) -> Path:
    """A space file that searches the learning rate at random and fixes `config`; `keys` go to its top."""
    rate = {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}
    parameters = {"learning_rate": rate, **{name: {"value": value} for name, value in config.items()}}
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump({"method": "random", "parameters": parameters, **keys}))
    return path
