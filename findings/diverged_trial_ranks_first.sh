#!/usr/bin/env bash
# Packages: duckdb 2.0.0, polars 2.1.0, pandas 3.1.1, pyarrow 26.0.1.
# Guess: a table's NaN is no result: it is left out of the maximum and of the ranking, or makes them NaN visibly.
# What happens: to DuckDB NaN is the largest number: by every way of asking, the diverged trial is the best of the search.
#     Polars disagrees with itself: `max` and `arg_max` leave it out, `sort`, `top_k` and a filter put it first. pandas and
#     pyarrow leave it out. For a loss, where less is better, all of them are right by luck.
# Why it matters: one diverged trial among a thousand, and a query for the best one names it. Null, unlike NaN, is no number
#     to any of them.
# Seen: the best of a: 0.7, b: NaN, c: 0.8
#     DuckDB   max nan, arg_max b, order by b, accuracy > 0.75: ['b', 'c']
#     Polars   max 0.8, arg_max c, top_k b, accuracy > 0.75: ['b', 'c']
#     pandas   max 0.8, idxmax c, nlargest c, accuracy > 0.75: ['c']
#     pyarrow  max 0.8, sort_by c, accuracy > 0.75: ['c']
#     with null in place of NaN: DuckDB c, Polars c
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python duckdb==2.0.0 polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1
bin/python - <<'END'
import math
import sys

import duckdb
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def stored(name, diverged):
    table = pa.table({"trial": ["a", "b", "c"], "accuracy": pa.array([0.7, diverged, 0.8], pa.float64())})
    pq.write_table(table, name)
    return table


def query(columns, rest=""):
    return [row[0] if len(row) == 1 else row for row in duckdb.sql(f"select {columns} from 'nan.parquet' {rest}").fetchall()]


table, without = stored("nan.parquet", math.nan), stored("null.parquet", None)
best, named = query("max(accuracy), arg_max(trial, accuracy)")[0]
first = query("trial", "order by accuracy desc limit 1")[0]
above = query("trial", "where accuracy > 0.75")
print(f"DuckDB   max {best}, arg_max {named}, order by {first}, accuracy > 0.75: {above}")
frame = polars.read_parquet("nan.parquet")
column, trials = frame["accuracy"], frame["trial"]
best_one, top = trials[column.arg_max()], frame.top_k(1, by="accuracy")["trial"][0]
polars_above = trials.filter(column > 0.75).to_list()
print(f"Polars   max {column.max()}, arg_max {best_one}, top_k {top}, accuracy > 0.75: {polars_above}")
rows = table.to_pandas().set_index("trial")["accuracy"]
print(f"pandas   max {rows.max()}, idxmax {rows.idxmax()}, nlargest {rows.nlargest(1).index[0]}, ", end="")
print(f"accuracy > 0.75: {rows.index[rows > 0.75].tolist()}")
ranked = table.sort_by([("accuracy", "descending")])["trial"][0]
print(f"pyarrow  max {pc.max(table['accuracy'])}, sort_by {ranked}, ", end="")
print(f"accuracy > 0.75: {table.filter(pc.field('accuracy') > 0.75)['trial'].to_pylist()}")
by_null = duckdb.sql("select arg_max(trial, accuracy) from 'null.parquet'").fetchall()[0][0]
polars_null = polars.read_parquet("null.parquet").top_k(1, by="accuracy")["trial"][0]
print(f"with null in place of NaN: DuckDB {by_null}, Polars {polars_null}")
duck = (named, first, above) == ("b", "b", ["b", "c"])
sys.exit(not (duck and (best_one, top) == ("c", "b") and rows.idxmax() == "c" and (by_null, polars_null) == ("c", "c")))
END
