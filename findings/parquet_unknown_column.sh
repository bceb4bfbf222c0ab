#!/usr/bin/env bash
# Packages: pyarrow 26.0.1.
# Guess: asking a Parquet file for a column that it does not have is an error, as it is with read_table and with a dataset.
# What happens: `ParquetFile.read(columns=...)` leaves the unknown column out without a word. If no name is known, the table
#     has its rows and no column at all.
# Why it matters: a misspelt metric, or one that older files lack, becomes a frame without it; the next line fails far from
#     the cause, or fills it with nulls.
# Seen:
#     ParquetFile.read: ['epoch']
#     read_table: ArrowInvalid: No match for FieldRef.Name(val_macrof1) in epoch: int64
#     dataset.to_table: ArrowInvalid: No match for FieldRef.Name(val_macrof1) in epoch: int64
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python pyarrow==26.0.1
bin/python - <<'END'
import sys

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

pq.write_table(pa.table({"epoch": [1, 2], "val_macro_f1": [0.3, 0.4]}), "epochs.parquet")
WANTED = ["epoch", "val_macrof1"]
readers = {
    "ParquetFile.read": lambda: pq.ParquetFile("epochs.parquet").read(columns=WANTED),
    "read_table": lambda: pq.read_table("epochs.parquet", columns=WANTED),
    "dataset.to_table": lambda: ds.dataset("epochs.parquet").to_table(columns=WANTED),
}
got = {}
for name, read in readers.items():
    try:
        got[name] = read().column_names
    except pa.ArrowInvalid as error:
        got[name] = f"ArrowInvalid: {str(error).splitlines()[0]}"
    print(f"{name}: {got[name]}")
sys.exit(not (got["ParquetFile.read"] == ["epoch"] and all("ArrowInvalid" in got[name] for name in list(readers)[1:])))
END
