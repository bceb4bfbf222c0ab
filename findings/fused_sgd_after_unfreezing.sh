#!/usr/bin/env bash
# Packages: torch 2.15.0.
# Guess: `fused=True` changes the speed of an optimiser, not what it accepts.
# What happens: SGD with momentum makes a parameter's buffer at its first step. After some epochs with a frozen backbone
#     only the head has one. Unfreeze, and plain and foreach SGD go on; the fused one raises TypeError, and the message is
#     about "argument 2".
# Why it matters: "freeze for two epochs, then train all" is the standard recipe for few images, and the error comes hours in,
#     with the optimiser one switches on for speed. Groups of their own for the two avoid it.
# Seen:
#     plain: goes on
#     foreach: goes on
#     fused: TypeError: expected Tensor as element 0 in argument 2, but got NoneType
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python torch==2.15.0
bin/python - <<'END'
import sys

import torch

results = {}
for kind in ("plain", "foreach", "fused"):
    torch.manual_seed(0)
    backbone, head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 3)
    options = {} if kind == "plain" else {kind: True}
    optimizer = torch.optim.SGD([*backbone.parameters(), *head.parameters()], lr=0.1, momentum=0.9, **options)
    results[kind] = "goes on"
    for frozen in (True, False):
        backbone.requires_grad_(not frozen)
        optimizer.zero_grad()
        head(backbone(torch.rand(8, 4))).sum().backward()
        try:
            optimizer.step()
        except TypeError as error:
            results[kind] = f"TypeError: {error}"
    print(f"{kind}: {results[kind]}")
sys.exit(not (results["plain"] == results["foreach"] == "goes on" and results["fused"].startswith("TypeError")))
END
