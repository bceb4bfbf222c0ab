#!/usr/bin/env bash
# Packages: pyarrow 26.0.1, duckdb 2.0.0, polars 2.1.0.
# Guess: a figure that one region does not have (all None) and another does (0.5) is one nullable column of the two files.
# What happens: pyarrow gives the all-None column the type `null` and Parquet keeps it. Each file reads well alone. Together,
#     DuckDB, Polars and pyarrow all take the first file's type for all, and none casts 0.5 to it: each raises. Which file
#     is first is the order of names, so it works until a region with an earlier name is added. union_by_name helps DuckDB
#     only.
# Why it matters: ordinal figures (MAE, kappa) are None for diagnoses. The store cannot be read whole any more from the day
#     that a nominal region is tuned. Write files with a schema.
# Seen:
#     diagnosis alone: [(None,)]
#     wrinkle alone: [(0.5,)]
#     both by duckdb: ConversionException: Conversion Error: Error while reading file "store/region=wrinkle/part.parquet": failed to cast c
#     both by duckdb, union_by_name: [(None,), (0.5,)]
#     both by polars: SchemaError: data type mismatch for column mae: incoming: Float64 != target: Null
#     both by pyarrow: ArrowNotImplementedError: Unsupported cast from double to null using function cast_null
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python pyarrow==26.0.1 duckdb==2.0.0 polars==2.1.0
bin/python - <<'END'
import sys
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

FILES = "store/*/*.parquet"
for region, mae in (("diagnosis", None), ("wrinkle", 0.5)):
    folder = Path("store", f"region={region}")
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"trial": ["a"], "mae": [mae]}), folder / "part.parquet")
    print(f"{region} alone:", duckdb.sql(f"select mae from '{folder}/part.parquet'").fetchall())
readers = {
    "duckdb": lambda: duckdb.sql(f"select mae from '{FILES}'").fetchall(),
    "duckdb, union_by_name": lambda: duckdb.sql(f"select mae from read_parquet('{FILES}', union_by_name=true)").fetchall(),
    "polars": lambda: polars.read_parquet(FILES)["mae"].to_list(),
    "pyarrow": lambda: ds.dataset("store", partitioning="hive").to_table()["mae"].to_pylist(),
}
failed = []
for name, read in readers.items():
    try:
        print(f"both by {name}:", read())
    except Exception as error:
        failed.append(name)
        print(f"both by {name}: {type(error).__name__}: {str(error).splitlines()[0][:96]}")
sys.exit(failed != ["duckdb", "polars", "pyarrow"])
END
