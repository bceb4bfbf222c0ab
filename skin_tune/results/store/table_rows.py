"""Rows of the store as Arrow tables, and their files."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skin_tune.storage.files import Location, atomic_write, cannot_write
from skin_tune.text.numbers import none_if_nan

TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}

Types = Mapping[str, pa.DataType]
_NO_TYPES: Types = {}


def table_of(schema: pa.Schema, rows: Sequence[Mapping[str, Any]], types: Types = _NO_TYPES) -> pa.Table:
    """`rows` with the columns of `schema` and others; of `types` are those of which no row has a value."""
    columns = {name: [none_if_nan(row.get(name)) for row in rows] for name in schema.names}
    extra = dict.fromkeys(name for row in rows for name in row if name not in columns)
    columns |= {name: [none_if_nan(row.get(name)) for row in rows] for name in extra}
    filled = {name for name, values in columns.items() if any(value is not None for value in values)}
    arrays = [
        pa.array(values, _type_of(name, schema) or (None if name in filled else types.get(name)))
        for name, values in columns.items()
    ]
    return pa.table(arrays, names=list(columns))


def _type_of(column: str, schema: pa.Schema) -> pa.DataType | None:
    """None: what the values say. A metric of a class without images has none, and would be of type null."""
    if column in schema.names:
        return schema.field(column).type
    return pa.float64() if column.startswith(("train_", "val_")) else None


def write_rows(
    file: Location, schema: pa.Schema, rows: list[dict[str, Any]], types: Types = _NO_TYPES, *, within: Location
) -> None:
    """Write a table of `rows` in one step. Raises StoreError where the storage `within` cannot be written."""
    table = table_of(schema, rows, types)
    # Measured values hardly repeat: split into their bytes they are written and read several times faster.
    measured = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    others = [name for name in table.column_names if name not in measured]
    save_table(file, table, within, use_dictionary=others, use_byte_stream_split=measured)


def save_table(file: Location, table: pa.Table, within: Location | None = None, **encoding: Any) -> None:
    """Write a table in one step. Raises StoreError where the storage `within` cannot be written, or was removed."""
    try:
        with atomic_write(file, within) as temporary:
            pq.write_table(table, temporary, compression="zstd", **encoding)
    except OSError as error:
        raise cannot_write(file.parent, error) from None
