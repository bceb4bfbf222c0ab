#!/usr/bin/env bash
# Packages: torchmetrics 1.9.0, scikit-learn 1.9.1.
# Guess: balanced accuracy is macro recall, so the macro accuracy of torchmetrics and scikit-learn's `recall_score(...,
#     average="macro")` give what `balanced_accuracy_score` gives. A grade that no image of the set has cannot have a recall.
# What happens: as long as nobody predicts that grade, all three agree. One prediction of it, and the first two count it as
#     one more class with recall 0; `balanced_accuracy_score` leaves it out. A single image can move the figure by a tenth.
# Why it matters: rare grades are missing from small validation sets, and a model made for rare grades does predict them.
#     It loses against one that never tries. Figures of two projects cannot be compared unless both say which they took.
# Seen:
#     3 is never predicted: torchmetrics 0.917, macro recall 0.917, balanced_accuracy_score 0.917
#     3 is predicted once: torchmetrics 0.688, macro recall 0.688, balanced_accuracy_score 0.917
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python torchmetrics==1.9.0 scikit-learn==1.9.1 torch==2.15.0
bin/python - <<'END'
import sys
import warnings

import torch
from sklearn.metrics import balanced_accuracy_score, recall_score
from torchmetrics.classification import MulticlassAccuracy

warnings.simplefilter("ignore")  # scikit-learn does say that a class is absent
truth = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
never = [0, 0, 0, 0, 1, 1, 1, 0, 2, 2]
once = [0, 0, 0, 0, 1, 1, 1, 3, 2, 2]  # the same, but the mistake is a 3
figures = {}
for name, predicted in {"3 is never predicted": never, "3 is predicted once": once}.items():
    macro = MulticlassAccuracy(7, average="macro")(torch.tensor(predicted), torch.tensor(truth)).item()
    recall = recall_score(truth, predicted, average="macro")
    balanced = balanced_accuracy_score(truth, predicted)
    figures[name] = (macro, recall, balanced)
    print(f"{name}: torchmetrics {macro:.3f}, macro recall {recall:.3f}, balanced_accuracy_score {balanced:.3f}")
before, after = figures.values()
same = max(before) - min(before) < 1e-6 and abs(after[2] - before[2]) < 1e-6
sys.exit(not (same and max(after[:2]) < before[0] - 0.1))
END
