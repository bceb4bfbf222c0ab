#!/usr/bin/env bash
# Packages: torchvision 0.29.2.
# Guess: RandomResizedCrop(scale=(0.3, 1)) keeps an area uniform in 30 % to 100 % of the photo, 65 % on average.
# What happens: a drawn area and aspect ratio that do not fit are drawn again, so large areas are rarer the more elongated
#     the photo is. On a portrait photo of 427 x 643 the mean is 50 %, and no crop ever has more than 89 %.
# Why it matters: `scale` is a hyper-parameter, and what it means depends on the shape of the photos. A scale tuned on
#     square crops is a much stronger augmentation on whole photos; grades that show at the border are lost.
# Seen:
#     500 x 500: mean area 0.590, largest 0.998, above 0.9 0.034
#     427 x 643: mean area 0.505, largest 0.885, above 0.9 0.000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python torch==2.15.0 torchvision==0.29.2
bin/python - <<'END'
import sys

import torch
from torchvision.transforms import v2

torch.manual_seed(0)
crop = v2.RandomResizedCrop(224, scale=(0.3, 1))
means = {}
for height, width in ((500, 500), (643, 427)):
    drawn = [crop.make_params([torch.zeros(3, height, width)]) for _ in range(5000)]
    areas = torch.tensor([each["height"] * each["width"] / (height * width) for each in drawn])
    means[width] = (areas.mean().item(), areas.max().item())
    over = (areas > 0.9).float().mean().item()
    print(f"{width} x {height}: mean area {areas.mean():.3f}, largest {areas.max():.3f}, above 0.9 {over:.3f}")
sys.exit(not (means[500][0] < 0.63 and means[427][0] < 0.55 and means[427][1] < 0.9))
END
