#!/usr/bin/env bash
# Packages: optuna 5.0.0.
# Guess: TPESampler() is the sampler of Optuna 3 and 4: parameters one by one. And with multivariate=True, the parameters of
#     a conditional space (`beta` only for this loss, `margin` only for that) are drawn together within their branch.
# What happens: TPESampler() now is multivariate, so the same seed gives other trials than before. Only what *every* trial
#     has is drawn together: in a conditional space that is the switch alone; the parameters behind it are drawn one by
#     one as before, without a word. `group=True` draws each branch together.
# Why it matters: losses and optimisers have hyper-parameters of their own, and those interact most (beta with gamma).
# Seen:
#     the default draws what multivariate=True draws: True and what multivariate=False draws: False
#     drawn together in a plain space: ['beta', 'gamma']
#     drawn together in a conditional space: ['loss']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python optuna==5.0.0
bin/python - <<'END'
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)


def plain(trial):
    return (trial.suggest_float("beta", 0, 1) - trial.suggest_float("gamma", 0, 1)) ** 2


def conditional(trial):
    return plain(trial) if trial.suggest_categorical("loss", ["cb", "ce"]) == "cb" else 1.0


def drawn(objective, **options):
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, **options))
    study.optimize(objective, n_trials=40)
    return [trial.params for trial in study.trials]


def drawn_together(objective, **options):
    """Names that the sampler draws together, rather than one by one, in the 41st trial."""
    sampler = optuna.samplers.TPESampler(seed=0, **options)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=40)
    trial = study.ask()
    return sorted(trial.relative_params)


default, joint, single = drawn(plain), drawn(plain, multivariate=True), drawn(plain, multivariate=False)
print("the default draws what multivariate=True draws:", default == joint, "and what multivariate=False draws:", default == single)
of_plain, of_conditional = drawn_together(plain), drawn_together(conditional)
print("drawn together in a plain space:", of_plain)
print("drawn together in a conditional space:", of_conditional)
sys.exit(not (default == joint != single and of_plain == ["beta", "gamma"] and of_conditional == ["loss"]))
END
