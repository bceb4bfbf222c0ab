#!/usr/bin/env bash
# Packages: pyarrow 26.0.1.
# Guess: feather.write_table and read_table(memory_map=True): the file lies in the page cache, and all processes of a machine
#     share one copy of the images.
# What happens: write_feather compresses by default (LZ4), and a compressed file is unpacked as a whole into the memory of each
#     process that reads it, map or no map. Pixels hardly become smaller for it. Uncompressed, nothing is allocated.
# Why it matters: eight trials on a node hold eight copies of the training set, and the last one is killed for memory.
# Seen:
#     default: a file of 50,158,994 bytes, 50,000,000 allocated to map it
#     uncompressed: a file of 50,128,474 bytes, 0 allocated to map it
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python pyarrow==26.0.1 numpy==2.4.6
bin/python - <<'END'
import os
import sys

import numpy as np
import pyarrow as pa
from pyarrow import feather

pixels = np.random.default_rng(0).integers(0, 256, 50_000_000, dtype=np.uint8)
table = pa.table({"pixels": pixels})
allocated = {}
for name, options in (("default", {}), ("uncompressed", {"compression": "uncompressed"})):
    feather.write_feather(table, f"{name}.arrow", **options)
    before = pa.total_allocated_bytes()
    mapped = feather.read_table(f"{name}.arrow", memory_map=True)
    allocated[name] = pa.total_allocated_bytes() - before
    print(f"{name}: a file of {os.path.getsize(f'{name}.arrow'):,} bytes, {allocated[name]:,} allocated to map it")
    del mapped
sys.exit(not (allocated["default"] >= 50_000_000 and allocated["uncompressed"] < 1_000_000))
END
