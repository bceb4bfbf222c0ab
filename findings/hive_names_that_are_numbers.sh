#!/usr/bin/env bash
# Packages: duckdb 2.0.0, polars 2.1.0, pandas 3.1.1, pyarrow 26.0.1.
# Guess: `experiment=01` in a hive-partitioned folder is the experiment "01" to every reader.
# What happens: Polars and pandas read 1, a number; DuckDB keeps "01". As soon as the folder that is read has one experiment
#     whose name is no number, all of them are text again: the type of a column depends on its neighbours. With both "01"
#     and "1" there, Polars makes them one experiment and pandas raises "Categorical categories must be unique".
# Why it matters: `frame[frame.experiment == "01"]` is empty without an error, or a join of two readers' frames loses rows,
#     until somebody names an experiment "first". Dates and numbers are what people call their experiments.
# Seen:
#     ('01', '2'): {'duckdb': ['01', '2'], 'polars': [1, 2], 'pandas': [1, 2]}
#     ('01', '2', 'first'): {'duckdb': ['01', '2', 'first'], 'polars': ['01', '2', 'first'], 'pandas': ['01', '2', 'first']}
#     ('01', '1'): {'duckdb': ['01', '1'], 'polars': [1, 1], 'pandas': 'Categorical categories must be unique'}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python duckdb==2.0.0 polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1
bin/python - <<'END'
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars

READERS = {
    "duckdb": lambda files: [row[0] for row in duckdb.sql(f"select experiment from '{files}/*/*.parquet'").fetchall()],
    "polars": lambda files: polars.read_parquet(f"{files}/*/*.parquet", hive_partitioning=True)["experiment"].to_list(),
    "pandas": lambda files: pd.read_parquet(files)["experiment"].to_list(),
}


def read(*experiments):
    files = "-".join(experiments)
    for experiment in experiments:
        folder = Path(files, f"experiment={experiment}")
        folder.mkdir(parents=True)
        pd.DataFrame({"epochs": [3]}).to_parquet(folder / "part.parquet")
    got = {}
    for name, reader in READERS.items():
        try:
            got[name] = sorted(reader(files))
        except ValueError as error:
            got[name] = str(error)
    print(f"{experiments}: {got}")
    return got


numbers, words, alike = read("01", "2"), read("01", "2", "first"), read("01", "1")
as_numbers = numbers == {"duckdb": ["01", "2"], "polars": [1, 2], "pandas": [1, 2]}
as_words = all(names == ["01", "2", "first"] for names in words.values())
sys.exit(not (as_numbers and as_words and alike["polars"] == [1, 1] and "unique" in alike["pandas"]))
END
