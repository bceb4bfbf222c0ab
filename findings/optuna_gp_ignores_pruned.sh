#!/usr/bin/env bash
# Packages: optuna 5.0.0, torch 2.15.0 (GPSampler needs it), scipy 1.17.1.
# Guess: early stopping and the sampler work together: a pruned trial reported values, and they tell GPSampler where not to
#     look, as they tell TPESampler.
# What happens: GPSampler sees completed trials only, also when it counts its ten random ones at the start. A hundred pruned
#     trials change nothing in what it draws next; with nine completed ones beside them it still draws at random.
# Why it matters: ASHA stops most trials. GPSampler beside a pruner has a fraction of the evidence that TPESampler has, tries
#     again what was pruned, and a comparison of the two measures that.
# Seen:
#     GPSampler after 15 completed: 0.6; and 100 pruned: 0.6
#     TPESampler after 15 completed: 0.5982; and 100 pruned: 0.4579
#     after 9 completed and 100 pruned: GPSampler 0.5488, RandomSampler 0.5488
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python optuna==5.0.0 torch==2.15.0 scipy==1.17.1
bin/python - <<'END'
import sys

import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)
RANGE = FloatDistribution(0, 1)


def next_drawn(sampler, completed, pruned):
    """The next x after trials at even distances, the pruned ones all above 0.5."""
    study = optuna.create_study(sampler=sampler)
    for number in range(completed):
        x = number / completed
        study.add_trial(create_trial(params={"x": x}, distributions={"x": RANGE}, value=(x - 0.6) ** 2))
    for number in range(pruned):
        x = 0.5 + number / pruned / 2
        reported = {1: 1.0 + x}
        study.add_trial(
            create_trial(
                params={"x": x}, distributions={"x": RANGE}, intermediate_values=reported, state=TrialState.PRUNED
            )
        )
    return round(study.ask({"x": RANGE}).params["x"], 4)


next_x = {}
for sampler in (GPSampler, TPESampler):
    for pruned in (0, 100):
        next_x[sampler, pruned] = next_drawn(sampler(seed=0), 15, pruned)
    print(f"{sampler.__name__} after 15 completed: {next_x[sampler, 0]}; and 100 pruned: {next_x[sampler, 100]}")
early, random = (next_drawn(sampler(seed=0), 9, 100) for sampler in (GPSampler, RandomSampler))
print(f"after 9 completed and 100 pruned: GPSampler {early}, RandomSampler {random}")
blind = next_x[GPSampler, 0] == next_x[GPSampler, 100] and next_x[TPESampler, 0] != next_x[TPESampler, 100]
sys.exit(not (blind and early == random))
END
