"""The columns of a pack, held against what it says of itself. Pixels are mapped and not read.

Every problem is a PackError that names the column and what it holds; `open_pack` adds the file.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from skin_tune.data.pack.layout.info import PackInfo
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.errors import PackError
from skin_tune.text.escaping import shown

_LONGEST_TEXT = 4096
"""Bytes of a subject, a path or a word about a photo: as much as the path of a file may have."""


def check_schema(schema: Any, info: PackInfo, about: Mapping[str, Any]) -> None:
    """Raise PackError unless `schema` has a pack's columns in their types, and images of its size or their places.

    Columns of `about` may be missing; others are not looked at.
    """
    wanted = {"label": pa.int16(), "subject": pa.string(), "split": pa.string(), "source": pa.string(), **about}
    if info.crops is not None:
        wanted["crop"] = pa.int32()
    check_columns(schema, wanted, optional=about)
    if info.crops is None:
        check_images(schema, info.size)


def check_columns(schema: Any, wanted: Mapping[str, Any], optional: Collection[str] = ()) -> None:
    """Raise PackError unless `schema` has each column that is `wanted` once, in its type; `optional` may be missing."""
    for name, kind in wanted.items():
        found = _is_there(schema, name, optional)
        if found and schema.field(name).type != kind:
            raise PackError(f"column {name} is of type {_type(schema, name)}, not {kind}")


def check_images(schema: Any, size: int) -> None:
    """Raise PackError unless `schema` has a column of images of `size` pixels."""
    _is_there(schema, "image")
    image = schema.field("image").type
    if not isinstance(image, pa.FixedShapeTensorType) or image.value_type != pa.uint8():
        raise PackError(f"column image is of type {_type(schema, 'image')}, not a tensor of uint8")
    if list(image.shape) != [size, size, 3] or image.permutation not in (None, [0, 1, 2]):
        raise PackError(f"images are of shape {shown(list(image.shape))}, and its size {size} says {[size, size, 3]}")


def _is_there(schema: Any, name: str, optional: Collection[str] = ()) -> bool:
    found = len(schema.get_all_field_indices(name))
    if found > 1 or (not found and name not in optional):
        raise PackError(f"it has {found} columns {name}" if found else f"it has no column {name}")
    return bool(found)


def _type(schema: Any, name: str) -> str:
    return str(schema.field(name).type)[:80]


def rows_of_pack(reader: Any, source: Any, info: PackInfo, about: Collection[str]) -> Any:
    """The rows of a pack: one record batch, so that its images are one array of the mapped `source`."""
    if info.crops is None:
        first, row_bytes = "image", info.size * info.size * 3
    else:
        first, row_bytes = "crop", 6  # with the label
    return only_batch(reader, source, "label", row_bytes, [first, "subject", "split", "source"], about)


def only_batch(
    reader: Any, source: Any, small: str, row_bytes: int, others: Sequence[str], optional: Collection[str] = ()
) -> Any:
    """The one record batch of a file, of the mapped `source`; a row has `row_bytes` or more.

    Its rows are counted by the column `small`. Raises PackError where there are more batches or no row, where a column
    that is not `optional` lacks a value, and where a text is damaged or endless.
    """
    if reader.num_record_batches > 1:
        raise PackError(f"it has {reader.num_record_batches} record batches, not one")
    counted = pa.ipc.IpcReadOptions(included_fields=[reader.schema.get_field_index(small)])
    rows = pa.ipc.open_file(source, options=counted).get_batch(0).num_rows if reader.num_record_batches else 0
    if not rows:
        raise PackError("it is empty")
    if rows * row_bytes > source.size():  # compressed ones would be unpacked into memory by the next line
        raise PackError(f"its file is too short for {rows} rows of {row_bytes} bytes: they are compressed or missing")
    batch = reader.get_batch(0)
    batch.validate()  # without looking at values: every buffer is as long as its column needs it
    for name in (small, *others, *optional):
        if name in batch.schema.names:
            _check_column(batch.column(name), name, may_lack=name in optional)
    return batch


def _check_column(column: Any, name: str, *, may_lack: bool) -> None:
    if column.null_count and not may_lack:
        raise PackError(f"column {name} lacks {column.null_count} of its {len(column)} values")
    if pa.types.is_string(column.type):
        column.validate(full=True)  # a damaged offset would be read from memory that is not the file's
        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if longest > _LONGEST_TEXT:
            raise PackError(f"column {name} has a text of {longest} bytes, more than {_LONGEST_TEXT}")


def encoded(column: Any) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.integer]]:
    """The distinct words of a text column, and the index of each row's [N] into them."""
    found = column.dictionary_encode()
    words = found.dictionary.to_pylist()
    if any(word.endswith("\0") for word in words):  # numpy would take it for the same word without
        raise PackError("it has a text that ends in a zero byte")
    return np.asarray(words, dtype=np.str_), found.indices.to_numpy()


def check_places(places: npt.NDArray[np.int64], crops: int) -> None:
    """Raise PackError for a place [N] that is none of so many `crops`."""
    for place in (places.min(), places.max()):
        if not 0 <= place < crops:
            raise PackError(f"column crop holds {place}, and there are {crops} crops, counted from 0")


def check_labels(labels: npt.NDArray[np.int64], classes: Sequence[str]) -> None:
    """Raise PackError for a label [N] that is no index into `classes`."""
    for label in (labels.min(), labels.max()):
        if not 0 <= label < len(classes):
            raise PackError(f"column label holds {label}, and there are {len(classes)} classes, counted from 0")


def check_split(
    words: Sequence[str], split: npt.NDArray[np.integer], names: Sequence[str], subjects: npt.NDArray[np.integer]
) -> None:
    """Raise PackError for a split that is none, and for a subject in two splits.

    `split` [N] is an index into its distinct `words`, `subjects` [N] into their distinct `names`.
    """
    for word in words:
        if word not in SPLITS:
            raise PackError(f"column split holds {shown(word)}, not one of {', '.join(SPLITS)}")
    seen = np.zeros((len(words), len(names)), dtype=bool)
    seen[split, subjects] = True
    shared = np.flatnonzero(seen.sum(axis=0) > 1)
    if len(shared):
        own = [words[part] for part in np.flatnonzero(seen[:, shared[0]]).tolist()]
        raise PackError(f"subject {shown(names[shared[0]])} is in two splits, {' and '.join(own)}")


def checked_counts(
    counts: Mapping[str, Mapping[str, int]],
    words: Sequence[str],
    split: npt.NDArray[np.integer],
    labels: npt.NDArray[np.int64],
    classes: Sequence[str],
) -> dict[str, dict[str, int]]:
    """Images of each split by class, classes in their order. Raises PackError where `counts` say otherwise.

    `split` [N] is an index into `words`, `labels` [N] into `classes`.
    """
    found = {}
    for part in SPLITS:
        own = labels[split == words.index(part)] if part in words else labels[:0]
        found[part] = dict(zip(classes, np.bincount(own, minlength=len(classes)).tolist(), strict=True))
        if counts[part] != found[part]:
            raise PackError(f"counts of {part} say {shown(dict(counts[part]))}, and there are {shown(found[part])}")
    return found
