#!/usr/bin/env bash
# Packages: torchvision 0.29.2, kornia 0.9.0, albumentations 2.0.8, monai 1.6.1.
# Guess: "rotate by +90 degrees" turns a picture one way, at least within one library.
# What happens: in torchvision and in kornia RandomRotation turns counter-clockwise and RandomAffine clockwise; in MONAI
#     Rotate turns clockwise and Rotate90 counter-clockwise. Albumentations is counter-clockwise in both.
# Why it matters: with ranges such as (-15, 15) nobody notices. With a one-sided range, the angle of a face found by a
#     landmark model, or boxes turned along by hand, the correction doubles the tilt instead of removing it.
# Seen:
#     torchvision RandomRotation  counter-clockwise
#     torchvision RandomAffine    clockwise
#     kornia RandomRotation       counter-clockwise
#     kornia RandomAffine         clockwise
#     albumentations Rotate       counter-clockwise
#     albumentations Affine       counter-clockwise
#     monai Rotate                clockwise
#     monai Rotate90              counter-clockwise
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python torch==2.15.0 torchvision==0.29.2 kornia==0.9.0 albumentations==2.0.8 monai==1.6.1 numpy==2.4.6
NO_ALBUMENTATIONS_UPDATE=1 bin/python - <<'END'
import sys

import albumentations
import kornia.augmentation
import monai.transforms
import numpy as np
import torch
from torchvision.transforms import v2

PICTURE = np.zeros((33, 33), np.float32)
PICTURE[20:, 14:19] = 1  # a bar at the bottom: at the right after a counter-clockwise turn, at the left after a clockwise one
TENSOR = torch.from_numpy(PICTURE)[None, None]

turned = {
    "torchvision RandomRotation": v2.RandomRotation((90, 90))(TENSOR)[0, 0],
    "torchvision RandomAffine": v2.RandomAffine((90, 90))(TENSOR)[0, 0],
    "kornia RandomRotation": kornia.augmentation.RandomRotation((90.0, 90.0), p=1)(TENSOR)[0, 0],
    "kornia RandomAffine": kornia.augmentation.RandomAffine((90.0, 90.0), p=1)(TENSOR)[0, 0],
    "albumentations Rotate": albumentations.Rotate((90, 90), p=1)(image=PICTURE)["image"],
    "albumentations Affine": albumentations.Affine(rotate=(90, 90), p=1)(image=PICTURE)["image"],
    "monai Rotate": monai.transforms.Rotate(np.pi / 2)(PICTURE[None])[0],
    "monai Rotate90": monai.transforms.Rotate90(1)(PICTURE[None])[0],
}
ways = {}
for name, picture in turned.items():
    columns = np.nonzero(np.asarray(picture) > 0.5)[1]
    ways[name] = "counter-clockwise" if columns.mean() > 16 else "clockwise"
    print(f"{name:28}{ways[name]}")
expected = ["counter-clockwise", "clockwise"] * 2 + ["counter-clockwise"] * 2 + ["clockwise", "counter-clockwise"]
sys.exit(list(ways.values()) != expected)
END
