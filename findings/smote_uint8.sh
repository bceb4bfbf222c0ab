#!/usr/bin/env bash
# Packages: imbalanced-learn 0.14.2, scikit-learn 1.9.1, numpy 2.4.6.
# Guess: SMOTE places new points between a rare image and its neighbour, whatever the type of the pixels; uint8 in, uint8
#     between the two out.
# What happens: it subtracts in the array's own type. With uint8 a difference below zero wraps round to 200 and more, the
#     new pixels leave the range of both parents, and the array stays uint8: nothing looks wrong. As float they are right.
# Why it matters: images are uint8. A rare grade is oversampled with noise, and only the score tells.
# Seen:
#     uint8: pixels of 100 to 139 in, 0 to 255 in the 180 new images
#     float32: pixels of 100 to 139 in, 100 to 139 in the 180 new images
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python imbalanced-learn==0.14.2 scikit-learn==1.9.1 numpy==2.4.6
bin/python - <<'END'
import sys

import numpy as np
from imblearn.over_sampling import SMOTE

rng = np.random.default_rng(0)
labels = np.repeat([0, 1], [200, 20])
pixels = rng.integers(100, 140, (220, 16), dtype=np.uint8)
spread = {}
for kind in (np.uint8, np.float32):
    images, grades = SMOTE(random_state=0).fit_resample(pixels.astype(kind), labels)
    new = images[len(pixels) :]
    spread[kind] = (new.min(), new.max())
    print(f"{kind.__name__}: pixels of 100 to 139 in, {new.min():.0f} to {new.max():.0f} in the {len(new)} new images")
holds = spread[np.uint8][0] < 100 and spread[np.uint8][1] > 139 and 100 <= spread[np.float32][0] <= spread[np.float32][1] <= 139
sys.exit(not holds)
END
