"""Columns about a photo beside its grade: whom it shows, and how it was taken."""

import pyarrow as pa

ABOUT = {
    "device": pa.string(),
    "angle": pa.string(),
    "age": pa.float32(),
    "gender": pa.string(),
    "skin_type": pa.string(),
}
"""Columns of packs and of the store's predictions; null where the source does not say. Age is in years."""
