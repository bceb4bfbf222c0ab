#!/usr/bin/env bash
# Packages: optuna 5.0.0.
# Guess: a sampler keeps away from where trials failed, as from any bad result.
# What happens: a trial whose value is NaN ends as FAIL, and TPESampler does not see it. Where the best learning rate lies just
#     below those that diverge, each trial beyond the edge is forgotten, the good ones pull upwards, and the search goes
#     over the edge again: here with all of its trials, for the rest of the search. Pruned trials and a worst value teach it.
# Why it matters: higher learning rates are better until they diverge; that is how the space of a network looks.
# Seen: of trials 21 to 64, those beyond the edge, for eight seeds
#     nan     [44, 44, 44, 44, 44, 44, 44, 44]
#     pruned  [17, 18, 16, 19, 22, 16, 16, 12]
#     worst   [17, 18, 16, 19, 22, 16, 16, 12]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python optuna==5.0.0 numpy==2.4.6
bin/python - <<'END'
import math
import sys

import optuna

EDGE = 1e-2
optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def accuracy(trial, how):
    rate = trial.suggest_float("learning_rate", 1e-5, 1, log=True)
    decay = trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True)
    if rate <= EDGE:
        return math.log10(rate) / 2 + 3 - abs(math.log10(decay) + 4) / 100
    if how == "pruned":
        raise optuna.TrialPruned
    return {"nan": math.nan, "worst": 0.0}[how]


lost = {}
for how in ("nan", "pruned", "worst"):
    lost[how] = []
    for seed in range(8):
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        study.optimize(lambda trial, how=how: accuracy(trial, how), n_trials=64)
        lost[how].append(sum(trial.params["learning_rate"] > EDGE for trial in study.trials[20:]))
    print(f"{how:7} {lost[how]}")
sys.exit(not (min(lost["nan"]) > 35 and max(lost["pruned"] + lost["worst"]) < 30))
END
