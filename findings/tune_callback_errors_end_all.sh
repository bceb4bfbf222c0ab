#!/usr/bin/env bash
# Packages: ray 2.60.0.
# Guess: a callback only watches: its error is logged, or at worst raised as itself; `max_failures` is for what goes wrong.
# What happens: any error in `on_trial_result` ends the whole search at once, whatever FailureConfig says, as a TuneError
#     whose text is a traceback and whose `__cause__` is empty: `except OSError` does not catch it. The trial that it cut off in
#     its first epoch of three is TERMINATED, as one that is done.
# Why it matters: a full disk or a tracking server that is away for a second ends a night of trials, and a program that wants
#     to tell its user "the disk is full" has to look for it in `__context__`.
# Seen:
#     TuneError, cause None, context OSError('disk is full')
#     first line 'Traceback (most recent call last):', last line 'OSError: disk is full'
#     its trial: TERMINATED
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --compile-bytecode --python bin/python "ray[tune]==2.60.0" numpy==2.4.6
RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0 RAY_AIR_NEW_OUTPUT=0 bin/python - <<'END'
import os
import sys

import ray
from ray import tune

seen = []


class Record(tune.Callback):
    def on_trial_result(self, iteration, trials, trial, result, **info):
        seen.append(trial)
        raise OSError("disk is full")


def train(config):
    for epoch in range(3):
        tune.report({"loss": 1 / (epoch + 1)})


ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
failures = tune.FailureConfig(max_failures=3)
run = tune.RunConfig(storage_path=os.getcwd(), verbose=0, callbacks=[Record()], failure_config=failures)
raised = None
try:
    tune.Tuner(train, run_config=run).fit()
except Exception as error:
    raised = error
lines = str(raised).strip().splitlines()
print(f"{type(raised).__name__}, cause {raised.__cause__!r}, context {raised.__context__!r}")
print(f"first line {lines[0]!r}, last line {lines[-1]!r}")
print(f"its trial: {seen[0].status}")
as_stated = type(raised).__name__ == "TuneError" and raised.__cause__ is None and len(lines) > 5
sys.exit(not (as_stated and seen[0].status == "TERMINATED"))
END
