#!/usr/bin/env bash
# Packages: timm 1.0.31, torch 2.15.0.
# Guess: `nn.SyncBatchNorm.convert_sync_batchnorm(model)`, the documented step before DistributedDataParallel, changes where
#     the statistics come from and nothing else; in eval mode the network is the same function.
# What happens: timm's EfficientNets (and others) have the activation inside the normalisation, BatchNormAct2d. It is a
#     subclass of BatchNorm, so it is replaced by a plain SyncBatchNorm, which still shows `act` when printed and never
#     calls it. The network has lost 49 activations, without a word. timm.layers.convert_sync_batchnorm keeps them.
# Why it matters: the same config trains another, nearly linear network as soon as it has two GPUs. It runs, and grades worse.
# Seen:
#     49 normalisations with an activation; logits off after conversion: torch 108, timm 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python timm==1.0.31 torch==2.15.0 torchvision==0.29.2
bin/python - <<'END'
import sys

import timm
import torch
from timm.layers import BatchNormAct2d, convert_sync_batchnorm

images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def network():
    torch.manual_seed(0)
    return timm.create_model("efficientnet_b0", num_classes=5).eval()


def off(converted):
    with torch.no_grad():
        return (converted.eval()(images) - network()(images)).abs().max().item()


acts = sum(isinstance(module, BatchNormAct2d) for module in network().modules())
torch_off, timm_off = off(torch.nn.SyncBatchNorm.convert_sync_batchnorm(network())), off(convert_sync_batchnorm(network()))
print(f"{acts} normalisations with an activation; logits off after conversion: torch {torch_off:.3g}, timm {timm_off:.3g}")
sys.exit(not (acts and torch_off > 1e-3 and timm_off < 1e-6))
END
