"""One Parquet file of the store, read and checked: stores are copied, merged and handed on.

Every problem is a StoreError that names the file, the column and what is wrong with it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skin_tune.errors import StoreError
from skin_tune.results.store.schema import SCHEMAS
from skin_tune.storage.files import Location, is_regular
from skin_tune.text.escaping import shown

_NEVER_EMPTY: Mapping[str, Sequence[str]] = {
    "trials": ("trial_id", "status"),
    "epochs": ("trial_id", "epoch"),
    "predictions": ("trial_id", "label", "predicted"),
    "test_openings": ("trial_id", "opened_at", "pack_id"),
}
_OF_THE_FOLDERS = ("region", "experiment")
"""Columns that come from folder names; columns of these names inside a file are ignored."""
_MOST_CLASSES = 1000


def read_table(file: Location, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of one file of `table`, or `columns` of them, in the types of its schema.

    Raises StoreError for what is no such file.
    """
    if not is_regular(file):
        raise StoreError(f"{str(file)!r} is not a regular file")
    try:
        # Fetched at once: a reader that opens a file twice may find a newer one the second time.
        parquet = pq.ParquetFile(pa.BufferReader(file.read_bytes()))
        _check_types(parquet.schema_arrow, table)
        wanted = [name for name in columns or parquet.schema_arrow.names if name not in _OF_THE_FOLDERS]
        rows = _in_schema(parquet.read(wanted), table, columns)
        _check_values(rows, table, columns)
    except StoreError as error:
        raise StoreError(f"{str(file)!r} is not of the table {table}: {error}") from None
    except OSError as error:
        if error.errno is None:  # pyarrow's own, of a damaged file
            raise StoreError(f"{str(file)!r} is not a Parquet file, or is damaged") from None
        raise StoreError(f"{str(file)!r} cannot be read: {error.strerror or error}") from None
    except Exception:  # a foreign file can fail to be read in many ways
        raise StoreError(f"{str(file)!r} is not a Parquet file, or is damaged") from None
    return rows


def check_same_kinds(parts: Iterable[tuple[Location, pa.Table]]) -> None:
    """Raise StoreError where a column is of one kind in one file and of another in the next: they cannot be joined."""
    seen: dict[str, tuple[str, Location]] = {}
    for file, part in parts:
        for column in part.schema:
            kind = _kind(column.type)
            earlier, where = seen.setdefault(column.name, (kind, file)) if kind != "empty" else (kind, file)
            if earlier != kind:
                raise StoreError(
                    f"column {shown(column.name)} is {kind} in {str(file)!r} and {earlier} in {str(where)!r}"
                )


def _kind(kind: Any) -> str:
    for name, holds in (
        ("empty", pa.types.is_null),
        ("true or false", pa.types.is_boolean),
        ("numbers", pa.types.is_integer),
        ("numbers", pa.types.is_floating),
        ("text", pa.types.is_string),
        ("text", pa.types.is_large_string),
        ("times", pa.types.is_timestamp),
        ("lists", pa.types.is_list),
        ("lists", pa.types.is_large_list),
    ):
        if holds(kind):
            return name
    return str(kind)[:80]


def _check_types(schema: Any, table: str) -> None:
    if twice := [name for name in schema.names if len(schema.get_all_field_indices(name)) > 1]:
        raise StoreError(f"it has two columns {shown(twice[0])}")
    for name in _NEVER_EMPTY[table]:
        if name not in schema.names:
            raise StoreError(f"it has no column {name}")
    for column in schema:
        kind, wanted = _kind(column.type), _wanted(column.name, table)
        if wanted and kind not in ("empty", *wanted):
            raise StoreError(f"column {shown(column.name)} is {kind}, not {' or '.join(wanted)}")


def _wanted(name: str, table: str) -> tuple[str, ...]:
    """The kinds that a column may be of; none for one that is not known here, which is kept as it is."""
    if name in SCHEMAS[table].names:
        return (_kind(SCHEMAS[table].field(name).type),)
    if name.startswith(("val_", "train_")):
        return ("numbers",)
    return ("text", "numbers", "true or false") if name.startswith("config/") else ()


def _in_schema(rows: pa.Table, table: str, columns: Sequence[str] | None) -> pa.Table:
    for name in columns or SCHEMAS[table].names:
        if name in SCHEMAS[table].names and name not in rows.column_names:  # of an older version
            rows = rows.append_column(name, pa.nulls(len(rows), SCHEMAS[table].field(name).type))
    for place, name in enumerate(rows.column_names):
        wanted = SCHEMAS[table].field(name).type if name in SCHEMAS[table].names else rows.schema.types[place]
        if rows.schema.types[place] != wanted:
            exact = not pa.types.is_timestamp(wanted)  # others keep nanoseconds
            try:
                rows = rows.set_column(place, name, rows.column(place).cast(wanted, safe=exact))
            except pa.ArrowException:
                raise StoreError(f"column {name} holds what is no {wanted}") from None
    return rows


def _check_values(rows: pa.Table, table: str, columns: Sequence[str] | None) -> None:
    for name in _NEVER_EMPTY[table]:
        if name in (columns or (name,)) and rows.column(name).null_count:
            raise StoreError(f"column {name} lacks {rows.column(name).null_count} of its {len(rows)} values")
    if table == "trials":
        _check_class_names(rows)
    if table == "predictions" and len(rows):
        _check_answers(rows)


def _check_class_names(rows: pa.Table) -> None:
    for text in rows.column("classes").unique().drop_null().to_pylist() if "classes" in rows.column_names else ():
        try:
            names: Any = json.loads(text)
        except (ValueError, RecursionError):
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise StoreError(f"column classes holds {shown(text)}, not a JSON list of names")


def _check_answers(rows: pa.Table) -> None:
    classes = _MOST_CLASSES
    if "probabilities" in rows.column_names:
        lengths = pc.min_max(pc.list_value_length(rows.column("probabilities"))).as_py()
        classes = lengths["max"] or 0
        gaps = rows.column("probabilities").null_count + pc.list_flatten(rows.column("probabilities")).null_count
        if gaps or lengths["min"] != classes:
            raise StoreError("column probabilities has gaps, or rows of different lengths")
    for name in ("label", "predicted"):
        if name in rows.column_names:
            ends = pc.min_max(rows.column(name)).as_py()
            if ends["min"] < 0 or ends["max"] >= classes:
                raise StoreError(f"column {name} holds {ends['min']} to {ends['max']}, and there are {classes} classes")
