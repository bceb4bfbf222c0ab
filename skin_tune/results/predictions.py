"""What models say of single images, one file for each model and split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.paths import RunPaths
from skin_tune.results.schema import PREDICTIONS
from skin_tune.results.store import save_table


def write_predictions(
    storage: Path,
    region: str,
    experiment: str,
    trial_id: str,
    split: str,
    *,
    sources: Sequence[str],
    subjects: Sequence[str],
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    devices: Sequence[str] = (),
    angles: Sequence[str] = (),
) -> None:
    """Keep what a model says of each of N images: true class [N], probabilities [N, K]. Replaces what it said before.

    `devices` and `angles` say what took each photo and from where; they may be left out or blank. `predicted` is the
    class of the highest probability; probabilities are kept to a relative precision of 1/8192, which halves the file.
    Raises StoreError where the storage cannot be written.
    """
    rows = len(labels)
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * probabilities.shape[1])
    columns: list[Any] = [
        pa.array([trial_id] * rows),
        pa.array([split] * rows),
        pa.array(sources, pa.string()),
        pa.array(subjects, pa.string()),
        _known(devices, rows),
        _known(angles, rows),
        pa.array(labels, pa.int16()),
        pa.array(probabilities.argmax(axis=1), pa.int16()),
        pa.ListArray.from_arrays(offsets, pa.array(_rounded(probabilities.ravel()))),
    ]
    folder = RunPaths(storage).partition("predictions", region, experiment)
    save_table(
        folder / f"{trial_id}-{split}.parquet",
        pa.table(columns, schema=PREDICTIONS),
        use_dictionary=["trial_id", "split", "source", "subject", "device", "angle", "label", "predicted"],
        column_encoding={"probabilities.list.element": "BYTE_STREAM_SPLIT"},
    )


def _known(words: Sequence[str], rows: int) -> pa.Array:
    return pa.array([word or None for word in words], pa.string()) if words else pa.nulls(rows, pa.string())


def _rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """With the lower 11 of 23 bits of the mantissa rounded to zero: values >= 0, to a relative 2^-13."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << 10)) & np.uint32(0xFFFFF800)).view(np.float32)
