#!/usr/bin/env bash
# Packages: timm 1.0.31, torch 2.15.0.
# Guess: create_model(..., pretrained_cfg_overlay={"state_dict": weights}) copies the weights into the network.
# What happens: it does, and keeps the given tensors as well, in `model.pretrained_cfg`, for as long as the model lives: twice
#     the memory, and twice the file with torch.save(model), pickle or copy.deepcopy (an EMA is a deepcopy).
# Why it matters: a worker that builds one model per trial, or sends models to other processes, pays for each one twice.
# Seen:
#     saved: 42.7 MiB built plainly, 85.5 MiB built from given weights
#     without pretrained_cfg['state_dict']: 42.7 MiB
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python timm==1.0.31 torch==2.15.0 torchvision==0.29.2
bin/python - <<'END'
import io
import sys

import timm
import torch


def megabytes(model):
    file = io.BytesIO()
    torch.save(model, file)
    return len(file.getvalue()) / 2**20


plain = timm.create_model("resnet18", num_classes=7)
overlay = {"state_dict": plain.state_dict(), "num_classes": 7}
given = timm.create_model("resnet18", num_classes=7, pretrained=True, pretrained_cfg_overlay=overlay)
before = megabytes(given)
print(f"saved: {megabytes(plain):.1f} MiB built plainly, {before:.1f} MiB built from given weights")
given.pretrained_cfg.pop("state_dict")
print(f"without pretrained_cfg['state_dict']: {megabytes(given):.1f} MiB")
sys.exit(not (before > 1.9 * megabytes(plain) > 1.9 * 0.9 * megabytes(given)))
END
