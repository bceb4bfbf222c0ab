"""The store's `predictions`: one file for each model and split."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.results.store.schema import PREDICTIONS
from skin_tune.results.store.table_rows import save_table
from skin_tune.storage.files import Location
from skin_tune.storage.photo_columns import ABOUT
from skin_tune.storage.run_paths import RunPaths


def write_predictions(
    storage: Location,
    region: str,
    experiment: str,
    trial_id: str,
    split: str,
    *,
    sources: Sequence[str],
    subjects: Sequence[str],
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    predicted_adjusted: npt.NDArray[np.int64] | None = None,
    about: Mapping[str, Sequence[Any] | npt.NDArray[np.object_]] | None = None,
) -> None:
    """Keep what a model says of each of N images: true class [N], probabilities [N, K]. Replaces what it said before.

    `about` holds columns [N] of `photo_columns.ABOUT`, on the person and the capture; a missing column, None
    or an empty word means unknown. `predicted` is the class of the highest probability, `predicted_adjusted` [N] that
    of the adjusted decision, where it is known. Probabilities are kept to a relative precision of 1/8192, which
    halves the file.
    Raises StoreError where the storage cannot be written.
    """
    rows = len(labels)
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * probabilities.shape[1])
    columns: list[Any] = [
        pa.array([trial_id] * rows),
        pa.array([split] * rows),
        pa.array(sources, pa.string()),
        pa.array(subjects, pa.string()),
        *(_known((about or {}).get(name), kind, rows) for name, kind in ABOUT.items()),
        pa.array(labels, pa.int16()),
        pa.array(probabilities.argmax(axis=1), pa.int16()),
        pa.nulls(rows, pa.int16()) if predicted_adjusted is None else pa.array(predicted_adjusted, pa.int16()),
        pa.ListArray.from_arrays(offsets, pa.array(_rounded(probabilities.ravel()))),
    ]
    save_table(
        RunPaths(storage).predictions(region, experiment, trial_id, split),
        pa.table(columns, schema=PREDICTIONS),
        within=storage,
        use_dictionary=["trial_id", "split", "source", "subject", *ABOUT, "label", "predicted", "predicted_adjusted"],
        column_encoding={"probabilities.list.element": "BYTE_STREAM_SPLIT"},
    )


def _known(values: Sequence[Any] | npt.NDArray[np.object_] | None, kind: pa.DataType, rows: int) -> pa.Array:
    known = [None] * rows if values is None else [None if value == "" else value for value in values]
    return pa.array(known, kind)


def _rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """With the lower 11 of 23 bits of the mantissa rounded to zero: values >= 0, to a relative 2^-13."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << 10)) & np.uint32(0xFFFFF800)).view(np.float32)
