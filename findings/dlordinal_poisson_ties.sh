#!/usr/bin/env bash
# Packages: dlordinal 2.7.0, torch 2.15.0, numpy 2.4.6.
# Guess: soft labels for ordinal grades give the most to the grade itself and less the further away.
# What happens: those of the Poisson distribution give the next higher grade exactly as much as the grade itself, for every
#     grade but the highest, and are nearly flat: of five grades 0.21 for grade 2 itself, 0.18 for grade 0. Triangular,
#     binomial, exponential and beta labels peak at the grade alone.
# Why it matters: a network that fits its labels to the last digit cannot tell a grade from the one above it; which of the two
#     wins is rounding. It looks like a model that grades too high.
# Seen:
#     poisson      grade 2: [0.178 0.197 0.212 0.212 0.201], as likely as the one above: 4 of 4 grades
#     triangular   grade 2: [0.   0.01 0.98 0.01 0.  ], as likely as the one above: 0 of 4 grades
#     binomial     grade 2: [0.063 0.25  0.375 0.25  0.062], as likely as the one above: 0 of 4 grades
#     exponential  grade 2: [0.067 0.183 0.498 0.183 0.067], as likely as the one above: 0 of 4 grades
#     beta         grade 2: [0.001 0.163 0.673 0.163 0.001], as likely as the one above: 0 of 4 grades
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python dlordinal==2.7.0 torch==2.15.0 numpy==2.4.6
bin/python - <<'END'
import sys

import numpy as np
from dlordinal import soft_labelling

tied = {}
for kind in ("poisson", "triangular", "binomial", "exponential", "beta"):
    labels = np.asarray(getattr(soft_labelling, f"get_{kind}_soft_labels")(5))
    own, above = np.diag(labels)[:-1], np.diag(labels, k=1)
    tied[kind] = int(np.isclose(own, above, rtol=1e-6).sum())
    print(f"{kind:12} grade 2: {labels[2].round(3)}, as likely as the one above: {tied[kind]} of 4 grades")
sys.exit(not (tied.pop("poisson") == 4 and set(tied.values()) == {0}))
END
