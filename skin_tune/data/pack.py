"""The pack: one region's prepared crops in one memory-mappable Arrow file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.data.split import SPLITS
from skin_tune.errors import PackError
from skin_tune.paths import atomic_write

FORMAT_VERSION = 1
_METADATA_KEY = b"skin_tune"


@dataclass(frozen=True)
class PackInfo:
    """What a pack says of itself, kept as JSON in its schema metadata under `skin_tune`."""

    region: str
    classes: list[str]
    """Class names in ordinal order; `label` is an index into them."""
    size: int
    """Side of every image in pixels."""
    split_seed: int
    split_ratios: list[int]
    counts: dict[str, dict[str, int]]
    """Images per split and class name."""
    pack_id: str
    """Hash of the content: images, labels, subjects, split."""
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class PackRows:
    """The columns of a pack beside its images, one entry a row."""

    label: npt.NDArray[np.int16]
    split: npt.NDArray[np.int8]
    """Index into SPLITS."""
    subject: Sequence[str]
    source: Sequence[str]
    device: Sequence[str]
    angle: Sequence[str]


@dataclass(frozen=True)
class Pack:
    """An open pack. `images` is a read-only view [N, size, size, 3] uint8 of the mapped file: nothing is copied."""

    path: Path
    info: PackInfo
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    subjects: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]

    @property
    def classes(self) -> list[str]:
        return self.info.classes

    def indices(self, *splits: str) -> npt.NDArray[np.int64]:
        """Rows of the splits, ascending."""
        return np.flatnonzero(np.isin(self.split, splits))

    def class_counts(self, *splits: str) -> npt.NDArray[np.int64]:
        """Images per class [K] in the splits."""
        return np.bincount(self.labels[self.indices(*splits)], minlength=len(self.classes))


def write_pack(path: Path, images: npt.NDArray[np.uint8], rows: PackRows, info: PackInfo) -> None:
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
            ("device", pa.string()),
            ("angle", pa.string()),
        ],
        metadata={_METADATA_KEY: json.dumps(asdict(info)).encode()},
    )
    flat = pa.Array.from_buffers(pa.uint8(), images.size, [None, pa.py_buffer(images)])
    storage = pa.FixedSizeListArray.from_arrays(flat, type=tensor_type.storage_type)
    columns = [
        pa.ExtensionArray.from_storage(tensor_type, storage),
        pa.array(rows.label, pa.int16()),
        pa.array(rows.subject, pa.string()),
        pa.array([SPLITS[code] for code in rows.split], pa.string()),
        pa.array(rows.source, pa.string()),
        pa.array(rows.device, pa.string()),
        pa.array(rows.angle, pa.string()),
    ]
    # A column of more than 2^31 bytes is 10,922 images of 256 pixels: fewer than a whole region has.
    options = pa.ipc.IpcWriteOptions(allow_64bit=True)
    with (
        atomic_write(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema, options=options) as out,
    ):
        out.write_batch(pa.record_batch(columns, schema=schema))


def open_pack(path: Path) -> Pack:
    """Map a pack. Raises PackError where the file is missing, no pack, empty, or of another format version."""
    if not path.is_file():
        raise PackError(f"pack {str(path)!r} does not exist; make one with skin-tune prepare")
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        metadata = json.loads((reader.schema.metadata or {})[_METADATA_KEY])
        version = metadata["format_version"]
        if version != FORMAT_VERSION:
            raise PackError(
                f"pack {str(path)!r} has format version {version!r}, "
                f"this program reads {FORMAT_VERSION}; prepare it again"
            )
        if reader.num_record_batches != 1 or reader.get_batch(0).num_rows == 0:
            raise PackError(f"pack {str(path)!r} is empty; prepare it again")
        batch = reader.get_batch(0)
        return Pack(
            path=path,
            info=PackInfo(**metadata),
            images=batch.column("image").to_numpy_ndarray(),
            labels=batch.column("label").to_numpy().astype(np.int64),
            subjects=np.asarray(batch.column("subject").to_pylist(), dtype=np.str_),
            sources=np.asarray(batch.column("source").to_pylist(), dtype=np.str_),
            split=np.asarray(batch.column("split").to_pylist(), dtype=np.str_),
        )
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, AttributeError):
        raise PackError(f"{str(path)!r} is not a pack; make one with skin-tune prepare") from None
