#!/usr/bin/env bash
# Packages: torch 2.15.0, torchvision 0.29.2.
# Guess: PyTorch loads its compiler when something is first compiled; a ResNet of torchvision's costs the import of PyTorch, and
#     a little of its own.
# What happens: `import torchvision`, and so each of its submodules, imports torch._dynamo, Inductor and SymPy for one function
#     of its region-of-interest pooling, which defers compilation so as not to import them. That takes two
#     thirds of the time of PyTorch itself, which has as many modules.
# Why it matters: each process that trains or grades pays for it: two to four seconds of CPU before the first image, in every
#     worker of a search, compiled or not.
# Seen:
#     torch: 3.4 s of CPU, 1,172 modules
#     torchvision: 2.3 s more, 1,094 modules more, 143 of them its own
#     of the compiler after torch: nothing
#     of the compiler after torchvision: torch._dynamo torch._inductor sympy
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
