#!/usr/bin/env bash
# Packages: cleanlab 2.9.0.
# Guess: a label counts as an error where another class is the likeliest of those that reach their thresholds, the mean
#     probability of each class over what is labelled so (confident learning, Northcutt et al. 2021, section 3.1).
# What happens: that holds where one class reaches its threshold. Where two or more do, the likeliest of all classes is taken,
#     also where that one does not reach its own: then a photo is called an error in favour of a class that is not confident.
# Why it matters: common grades have high thresholds and rare ones low, so it is photos of rare grades, right by the formula,
#     that are handed back as common ones.
# Seen:
#     thresholds: clear 0.90, mild 0.35, severe 0.15
#     a mild photo with [0.45, 0.35, 0.20] reaches those of mild and severe, not that of clear
#     cleanlab: an error, confident joint mild -> clear 40; by the formula it is mild, and there are 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python cleanlab==2.9.0 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1
bin/python - <<'END'
import sys

import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds

CLASSES = ("clear", "mild", "severe")
groups = {0: (200, [0.90, 0.06, 0.04]), 1: (40, [0.45, 0.35, 0.20]), 2: (10, [0.45, 0.40, 0.15])}
labels = np.repeat(list(groups), [count for count, _ in groups.values()])
probabilities = np.repeat([row for _, row in groups.values()], [count for count, _ in groups.values()], axis=0)
thresholds = get_confident_thresholds(labels, probabilities)
joint, errors = compute_confident_joint(
    labels, probabilities, calibrate=False, return_indices_of_off_diagonals=True
)
reached = probabilities >= thresholds - 1e-6
formula = np.where(reached, probabilities, -1).argmax(axis=1)
by_formula = int(((labels == 1) & reached.any(axis=1) & (formula != 1)).sum())
print("thresholds:", ", ".join(f"{name} {value:.2f}" for name, value in zip(CLASSES, thresholds)))
print("a mild photo with [0.45, 0.35, 0.20] reaches those of mild and severe, not that of clear")
flagged = int(np.isin(np.flatnonzero(labels == 1), errors).sum())
print(f"cleanlab: an error, confident joint mild -> clear {joint[1, 0]}; by the formula it is mild, and there are {by_formula}")
sys.exit(not (flagged == 40 and joint[1, 0] == 40 and by_formula == 0 and not reached[labels == 1][0, 0]))
END
