#!/usr/bin/env bash
# Packages: torch 2.15.0, torchvision 0.29.2.
# Guess: PyTorch loads its compiler when something is first compiled; a ResNet of torchvision's costs the import of PyTorch, and
#     a little of its own.
# What happens: `import torchvision`, and so each of its submodules, imports torch._dynamo, Inductor and SymPy for one function
#     of its region-of-interest pooling, which defers compilation so as not to import them. It takes as long as PyTorch itself.
# Why it matters: each process that trains or grades pays for it: two to four seconds of CPU before the first image, in every
#     worker of a search, compiled or not.
# Seen:
#     torch: 3.2 s of CPU, 1,214 modules
#     torchvision: 3.0 s more, 1,093 modules more, 146 of them its own
#     torch._dynamo: not after torch, after torchvision
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --compile-bytecode --python bin/python torch==2.15.0 torchvision==0.29.2
bin/python - <<'END'
import sys
import time

COMPILER = ("torch._dynamo", "torch._inductor", "sympy")

begin, before = time.process_time(), len(sys.modules)
import torch

after_torch, count = time.process_time(), len(sys.modules)
early = [name for name in COMPILER if name in sys.modules]
import torchvision

end, added = time.process_time(), list(sys.modules)[count:]
late = [name for name in COMPILER if name in sys.modules]
own = sum(name.partition(".")[0] == "torchvision" for name in added)
print(f"torch: {after_torch - begin:.1f} s of CPU, {count - before:,} modules")
print(f"torchvision: {end - after_torch:.1f} s more, {len(added):,} modules more, {own} of them its own")
print("of the compiler after torch:", *(early or ["nothing"]))
print("of the compiler after torchvision:", *late)
sys.exit(int(bool(early) or late != list(COMPILER)))
END
