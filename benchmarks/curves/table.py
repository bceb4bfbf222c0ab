"""A table of measured curves: what each config of the grid scores after each epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.curves.grid import EVEN_ADJUSTED, VALUES, configs
from benchmarks.curves.scores import Floats, scores_by_epoch
from skin_tune.config import key_of, settled
from skin_tune.metrics import formula_of

METRICS = ("val_soft_macro_f1_adjusted", "val_balanced_acc_adjusted")
"""What a search can go by: that of the shipped spaces first."""
TESTED = ("test_balanced_acc_adjusted", "test_macro_f1_adjusted")
"""What the model that a search chooses is judged by."""
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Table:
    """The curves of a data set."""

    metric: str
    """One of METRICS."""
    scores: Floats
    """Of that metric, [configs, epochs], in the order of the grid's `configs`."""
    tested: Mapping[str, Floats]
    """Of TESTED, likewise."""

    def place(self, config: Mapping[str, Any]) -> int:
        """The row of a config; a learning rate between those of the grid has that of the nearest."""
        near = min(VALUES["learning_rate"], key=lambda rate: abs(np.log(rate / config["learning_rate"])))
        known = {name: config[name] for name in VALUES if config.get(name) is not None}
        if (known["train_loss"], known["oversample"]) == EVEN_ADJUSTED:
            known["train_loss"] = "ce"
        return _PLACES[key_of(settled({**_DEFAULTS, **known, "learning_rate": near}))]


_DEFAULTS = configs()[0].to_dict()
_PLACES = {key_of(settled(config.to_dict())): place for place, config in enumerate(configs())}


def table_file(name: str) -> Path:
    """Where the table of a data set is."""
    return _FOLDER / f"{name}.parquet"


def load_table(name: str, metric: str = METRICS[0]) -> Table:
    """The table of a data set, as this folder holds it."""
    frame = pd.read_parquet(table_file(name))
    curves = {
        name: frame.pivot(index="config", columns="epoch", values=name).to_numpy(np.float64)
        for name in (metric, *TESTED)
    }
    return Table(metric, curves.pop(metric), curves)


def write_table(name: str, predictions: Path, labels: Mapping[str, npt.NDArray[np.int64]]) -> None:
    """Write a data set's table from the predictions of its images, `labels` [N] of ``val`` and ``test``."""
    curves = []
    for number in range(len(configs())):
        with np.load(predictions / f"{number}.npz") as kept:
            scores = {split: scores_by_epoch(kept[split], labels[split]) for split in labels}
        columns = [(name, *name.split("_", maxsplit=1)) for name in (*METRICS, *TESTED)]
        found = {name: scores[split][formula_of(metric)] for name, split, metric in columns}
        curve = pd.DataFrame(found, dtype=np.float32)
        curve.insert(0, "config", number)
        curve.insert(1, "epoch", np.arange(1, len(curve) + 1))
        curves.append(curve)
    pd.concat(curves).to_parquet(table_file(name), compression="zstd", index=False)
