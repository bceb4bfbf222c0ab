"""Writing a pack."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.data.pack.info import METADATA_KEY, PackInfo
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.storage.files import Location, atomic_write
from skin_tune.storage.photo_columns import ABOUT


@dataclass(frozen=True)
class PackRows:
    """The columns of a pack beside its images, one entry a row."""

    label: npt.NDArray[np.int16]
    split: npt.NDArray[np.int8]
    """Index into SPLITS."""
    subject: Sequence[str]
    source: Sequence[str]
    about: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Columns of ABOUT; those left out, and empty words, become null."""


def write_pack(path: Location, images: npt.NDArray[np.uint8], rows: PackRows, info: PackInfo) -> None:
    """Write `images` [N, size, size, 3] with their rows as one record batch, so that a reader maps one array.

    `images` may itself be a memory map: it is written through, never held in memory as a whole.
    """
    tensor_type = pa.fixed_shape_tensor(pa.uint8(), [info.size, info.size, 3])
    schema = pa.schema(
        [
            ("image", tensor_type),
            ("label", pa.int16()),
            ("subject", pa.string()),
            ("split", pa.string()),
            ("source", pa.string()),
            *ABOUT.items(),
        ],
        metadata={METADATA_KEY: json.dumps(asdict(info)).encode()},
    )
    flat = pa.Array.from_buffers(pa.uint8(), images.size, [None, pa.py_buffer(images)])
    storage = pa.FixedSizeListArray.from_arrays(flat, type=tensor_type.storage_type)
    columns = [
        pa.ExtensionArray.from_storage(tensor_type, storage),
        pa.array(rows.label, pa.int16()),
        pa.array(rows.subject, pa.string()),
        pa.array([SPLITS[code] for code in rows.split], pa.string()),
        pa.array(rows.source, pa.string()),
        *(described(rows.about.get(name), name, len(rows.label)) for name in ABOUT),
    ]
    # A column of more than 2^31 bytes is 10,922 images of 256 pixels: fewer than a whole region has.
    options = pa.ipc.IpcWriteOptions(allow_64bit=True)
    with (
        atomic_write(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema, options=options) as out,
    ):
        out.write_batch(pa.record_batch(columns, schema=schema))


def described(values: Sequence[Any] | None, name: str, rows: int) -> pa.Array:
    """One column of ABOUT: `values` [rows], all unknown if None. An empty word is unknown."""
    return pa.array(
        [None] * rows if values is None else [None if value == "" else value for value in values], ABOUT[name]
    )
