#!/usr/bin/env bash
# Packages: albumentations 2.0.8, torch 2.15.0.
# Guess: each worker of a DataLoader draws its own augmentations, and each epoch draws new ones; `torch.manual_seed` and
#     `numpy.random.seed` make them repeatable.
# What happens: a Compose has a NumPy generator of its own, made with it, seeded or not. Each worker is a fork of the same
#     state: all workers draw alike, and new workers in the next epoch start from that state again. The same image gets the
#     same "random" change in every epoch. The global seeds change nothing.
# Why it matters: augmentation that looks rich is a fixed copy of the training set, and a model of few rare images
#     overfits. `persistent_workers=True` mends the epochs only.
# Seen:
#     epoch 1: first worker [0, 169, 103, 233], second worker [0, 169, 103, 233]
#     epoch 2: first worker [0, 169, 103, 233], second worker [0, 169, 103, 233]
#     epoch 3: first worker [0, 169, 103, 233], second worker [0, 169, 103, 233]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python albumentations==2.0.8 torch==2.15.0 numpy==2.4.6
NO_ALBUMENTATIONS_UPDATE=1 bin/python - <<'END'
import sys

import albumentations
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

IMAGE = np.full((8, 8, 3), 128, np.uint8)


class Photos(Dataset):
    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return int(self.transform(image=IMAGE)["image"].mean())


torch.manual_seed(0)
photos = Photos(albumentations.Compose([albumentations.RandomBrightnessContrast(brightness_limit=0.5, p=1)]))
loader = DataLoader(photos, batch_size=1, num_workers=2, multiprocessing_context="fork")
epochs = [[int(batch) for batch in loader] for _ in range(3)]
for number, brightness in enumerate(epochs, start=1):
    print(f"epoch {number}: first worker {brightness[::2]}, second worker {brightness[1::2]}")
sys.exit(not (epochs[0] == epochs[1] == epochs[2] and epochs[0][::2] == epochs[0][1::2] and len(set(epochs[0])) > 1))
END
