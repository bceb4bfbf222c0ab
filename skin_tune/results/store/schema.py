"""Columns of the store's tables that are always there; hyper-parameters and further classes come beside them."""

from datetime import UTC, datetime

import pyarrow as pa

from skin_tune.metrics import ADJUSTED, METRICS, SELECTION_ONLY
from skin_tune.storage.photo_columns import ABOUT

# The grades of the built-in regions: always there, so that partitions of different regions share a schema.
_RECALLS = [(f"val_recall_{grade}", pa.float64()) for grade in range(7)]
_METRICS = [
    (name, pa.float64())
    for name in (
        "train_loss",
        "train_acc",
        "val_loss",
        "val_acc",
        "val_balanced_acc",
        "val_macro_f1",
        "val_mae",
        "val_within_one",
        "val_qwk",
        *(f"val_{name}{ADJUSTED}" for name in METRICS),
        *(f"val_{name}" for name in SELECTION_ONLY),
    )
]
TRIALS = pa.schema(
    [
        ("trial_id", pa.string()),
        ("status", pa.string()),
        ("epochs", pa.int64()),
        ("best_epoch", pa.int64()),
        *_METRICS,
        *_RECALLS,
        ("seconds", pa.float64()),
        ("gpu_seconds", pa.float64()),
        ("images", pa.int64()),
        ("seed", pa.int64()),
        ("pack_id", pa.string()),
        ("split_seed", pa.int64()),
        ("fold", pa.int64()),
        ("folds", pa.int64()),
        ("ordinal", pa.bool_()),
        ("classes", pa.string()),
        ("metric", pa.string()),
        ("code_version", pa.string()),
        ("libraries", pa.string()),
        ("hardware", pa.string()),
        ("members", pa.string()),
        ("checkpoint", pa.string()),
        ("error", pa.string()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("ended_at", pa.timestamp("us", tz="UTC")),
    ]
)
EPOCHS = pa.schema(
    [
        ("trial_id", pa.string()),
        ("epoch", pa.int64()),
        *_METRICS,
        *_RECALLS,
        ("learning_rate", pa.float64()),
        ("images", pa.int64()),
        ("epoch_seconds", pa.float64()),
        ("images_per_second", pa.float64()),
    ]
)
PREDICTIONS = pa.schema(
    [
        ("trial_id", pa.string()),
        ("split", pa.string()),
        ("source", pa.string()),
        ("subject", pa.string()),
        *ABOUT.items(),
        ("label", pa.int16()),
        ("predicted", pa.int16()),
        ("predicted_adjusted", pa.int16()),
        ("probabilities", pa.list_(pa.float32())),
    ]
)
TEST_OPENINGS = pa.schema(
    [
        ("trial_id", pa.string()),
        ("opened_at", pa.timestamp("us", tz="UTC")),
        ("command", pa.string()),
        ("pack_id", pa.string()),
    ]
)
SCHEMAS = {"trials": TRIALS, "epochs": EPOCHS, "predictions": PREDICTIONS, "test_openings": TEST_OPENINGS}

WANDB_RUN = "wandb_run"
"""Further column of `trials` that were imported: the project and id of the wandb run. No other trial has it."""


def now() -> datetime:
    """The time as the store keeps it."""
    return datetime.now(UTC)
