#!/usr/bin/env bash
# Packages: torch 2.15.0.
# Guess: 100,000 numbers are 800 KB; torch.load reads them in a millisecond, as a list or as a tensor.
# What happens: with weights_only=True, the default, an unpickler written in Python goes through the list object by object:
#     hundreds of times slower than for a tensor, and ten times slower than weights_only=False.
# Why it matters: a checkpoint that keeps the loss of each step as a list is loaded by every resume, every evaluation and
#     every exploit of population-based training. Keep histories as tensors.
# Seen:
#     list 218 ms, tensor 0.52 ms, list with weights_only=False 19 ms
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python torch==2.15.0
bin/python - <<'END'
import sys
import time

import torch


def seconds(file, **options):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        torch.load(file, **options)
        times.append(time.perf_counter() - start)
    return min(times)


losses = torch.rand(100_000, dtype=torch.float64)
torch.save({"losses": losses.tolist()}, "list.pt")
torch.save({"losses": losses}, "tensor.pt")
as_list, as_tensor = seconds("list.pt"), seconds("tensor.pt")
unsafe = seconds("list.pt", weights_only=False)
print(f"list {1000 * as_list:.0f} ms, tensor {1000 * as_tensor:.2f} ms, list with weights_only=False {1000 * unsafe:.0f} ms")
sys.exit(not (as_list > 100 * as_tensor and as_list > 3 * unsafe))
END
