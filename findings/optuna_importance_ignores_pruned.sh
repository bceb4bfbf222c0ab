#!/usr/bin/env bash
# Packages: optuna 5.0.0.
# Guess: what decides whether a trial is pruned is the most important hyper-parameter of the study.
# What happens: `get_param_importances` leaves pruned trials out. Here a learning rate above 0.3 fails at the first epoch and
#     is pruned. What it did is in the pruned trials alone, so it comes out as unimportant, and weight decay, which moves the
#     others by a hundredth, takes nearly all.
# Why it matters: with ASHA most trials are pruned. Who then fixes the "unimportant" parameter at any value, or reads the
#     plot as "what to tune next", is led the wrong way. Judge by each trial's last value instead.
# Seen:
#     207 of 300 trials pruned
#     completed trials alone: learning_rate 0.04, weight_decay 0.96
#     pruned ones with their last value: learning_rate 0.55, weight_decay 0.45
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python optuna==5.0.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
bin/python - <<'END'
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def accuracy(trial):
    rate, decay = trial.suggest_float("learning_rate", 0, 1), trial.suggest_float("weight_decay", 0, 1)
    value = (0.8 if rate < 0.3 else 0.1) + decay / 100
    trial.report(value, step=1)
    if rate >= 0.3:
        raise optuna.TrialPruned
    return value


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(accuracy, n_trials=300)
print(sum(trial.state.name == "PRUNED" for trial in study.trials), "of 300 trials pruned")
judged = optuna.create_study(direction="maximize")
for trial in study.trials:
    value = trial.intermediate_values[1]
    judged.add_trial(optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=value))
found = {}
for name, trials in {"completed trials alone": study, "pruned ones with their last value": judged}.items():
    found[name] = optuna.importance.get_param_importances(trials)
    print(f"{name}:", ", ".join(f"{key} {found[name][key]:.2f}" for key in ("learning_rate", "weight_decay")))
alone, whole = found.values()
sys.exit(not (alone["learning_rate"] < 0.2 and whole["learning_rate"] > 0.4))
END
