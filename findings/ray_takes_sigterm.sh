#!/usr/bin/env bash
# Packages: ray 2.60.0.
# Guess: ray.init connects a program to a cluster; the program's own handler of SIGTERM stays what it was.
# What happens: ray.init replaces it and never calls it: on SIGTERM Ray's raises SystemExit in its place, and what the program
#     would have saved is not. SIGINT is left alone, and ray.shutdown does not put the old one back. Set the handler again
#     after ray.init.
# Why it matters: queues (Slurm), containers and spot machines end a job by SIGTERM and give it a minute. The minute is for
#     saving the state of the search.
# Seen:
#     SIGTERM: ray._private.worker.init.<locals>.sigterm_handler
#     SIGINT: __main__.save_state
#     SIGTERM: SystemExit(15)
#     saved on: ['SIGINT']
#     SIGTERM is the program's again after ray.shutdown: False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python ray==2.60.0
RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0 bin/python - <<'END'
import os
import signal
import sys

import ray


saved = []


def save_state(number, frame):
    saved.append(signal.Signals(number).name)


for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, save_state)
ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
kept = {}
for number in (signal.SIGTERM, signal.SIGINT):
    handler = signal.getsignal(number)
    kept[number] = handler is save_state
    print(f"{number.name}: {handler.__module__}.{handler.__qualname__}")
for number in (signal.SIGINT, signal.SIGTERM):
    try:
        os.kill(os.getpid(), number)
    except SystemExit as end:
        print(f"{number.name}: SystemExit({end.code})")
print("saved on:", saved)
ray.shutdown()
again = signal.getsignal(signal.SIGTERM) is save_state
print("SIGTERM is the program's again after ray.shutdown:", again)
sys.exit(not (kept[signal.SIGINT] and not kept[signal.SIGTERM] and saved == ["SIGINT"] and not again))
END
