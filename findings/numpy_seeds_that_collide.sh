#!/usr/bin/env bash
# Packages: numpy 2.4.6.
# Guess: a list of numbers as a seed, [seed, epoch], gives each pair a stream of its own, and none equals that of `seed`.
# What happens: lists are padded with zeros: 7, [7] and [7, 0] are one stream, and so are [7, 1] and 7 + 2**32. SeedSequence
#     tells them apart by `spawn_key` (but 7 with spawn_key (0,) is [7, 0, 0, 0, 0], too).
# Why it matters: the split drawn from `seed` and epoch 0 drawn from [seed, 0] get the same numbers: the first shuffle is the
#     permutation that chose the validation set. Count from 1, or put a different last number to each use.
# Seen:
#     7                 [944, 625, 684, 897]
#     [7]               [944, 625, 684, 897]
#     [7, 0]            [944, 625, 684, 897]
#     7, spawn_key (0,) [305, 797, 203, 53]
#     [7, 0, 0, 0, 0]   [305, 797, 203, 53]
#     [7, 1]            [870, 770, 875, 111]
#     7 + 2**32         [870, 770, 875, 111]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python numpy==2.4.6
bin/python - <<'END'
import sys

import numpy as np

SEEDS = {
    "7": 7,
    "[7]": [7],
    "[7, 0]": [7, 0],
    "7, spawn_key (0,)": np.random.SeedSequence(7, spawn_key=(0,)),
    "[7, 0, 0, 0, 0]": [7, 0, 0, 0, 0],
    "[7, 1]": [7, 1],
    "7 + 2**32": 7 + 2**32,
}
first = {name: np.random.default_rng(seed).integers(1000, size=4).tolist() for name, seed in SEEDS.items()}
for name, numbers in first.items():
    print(f"{name:18}{numbers}")
one, single, padded, spawned, _, pair, large = first.values()
sys.exit(not (one == single == padded and pair == large and one != pair and one != spawned))
END
