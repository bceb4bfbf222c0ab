#!/usr/bin/env bash
# Packages: scikit-learn 1.9.1, torchmetrics 1.9.0.
# Guess: quadratic kappa of grades weighs a confusion by the distance of the two grades: 0 for 6 is far worse than 0 for 1.
# What happens: scikit-learn weighs by the *position* among the grades that occur in either list. If only 0, 1 and 6 occur,
#     6 is two steps from 0. `labels=range(7)` puts it right; the class of torchmetrics knows the number of grades and
#     agrees with that.
# Why it matters: rare grades are missing from small validation sets. Kappa is then another scale in every fold or region,
#     and the order of two models can turn round, as here.
# Seen:
#     a takes two 0 for 1 and two 1 for 0: scikit-learn 0.643, with labels=range(7) 0.960, torchmetrics 0.960
#     b takes one 6 for 1: scikit-learn 0.898, with labels=range(7) 0.694, torchmetrics 0.694
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python scikit-learn==1.9.1 torchmetrics==1.9.0 torch==2.15.0
bin/python - <<'END'
import sys

import torch
from sklearn.metrics import cohen_kappa_score
from torchmetrics.classification import MulticlassCohenKappa

truth = [0, 0, 0, 0, 1, 1, 1, 1, 6, 6]
models = {
    "a takes two 0 for 1 and two 1 for 0": [0, 0, 1, 1, 1, 1, 0, 0, 6, 6],
    "b takes one 6 for 1": [0, 0, 0, 0, 1, 1, 1, 1, 6, 1],
}
kappas = {}
for name, predicted in models.items():
    by_position = cohen_kappa_score(truth, predicted, weights="quadratic")
    by_grade = cohen_kappa_score(truth, predicted, weights="quadratic", labels=range(7))
    other = MulticlassCohenKappa(7, weights="quadratic")(torch.tensor(predicted), torch.tensor(truth)).item()
    kappas[name] = (by_position, by_grade)
    print(f"{name}: scikit-learn {by_position:.3f}, with labels=range(7) {by_grade:.3f}, torchmetrics {other:.3f}")
    assert abs(other - by_grade) < 1e-5, "torchmetrics no longer agrees"
a, b = kappas.values()
sys.exit(not (a[0] < b[0] and a[1] > b[1]))
END
