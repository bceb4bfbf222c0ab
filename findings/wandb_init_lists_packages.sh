#!/usr/bin/env bash
# Packages: wandb 0.31.0.
# Guess: a run costs what its start, its metrics and its end cost; offline nothing but a file is made.
# What happens: each wandb.init reads and parses the metadata of all installed packages, offline and in a process that
#     has just done so for the run before. With the packages of a training environment that is nine tenths of a run's
#     processor time. `Settings(x_save_requirements=False)` leaves it out.
# Why it matters: a search opens a run for each trial. A thousand trials beside a hundred packages pay minutes of the very cores
#     that train.
# Seen:
#     as it comes: 244 ms of processor time a run
#     x_save_requirements=False: 20 ms
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python wandb==0.31.0 torch==2.15.0 torchvision==0.29.2 \
    "ray[default,train,tune]==2.60.0" onnxscript==0.7.2 timm==1.0.31
bin/python - <<'END'
import sys
import time
from statistics import median

import wandb


def cost(number, **settings):
    begin = time.process_time()
    chosen = wandb.Settings(silent=True, **settings)
    run = wandb.init(mode="offline", project="p", reinit="create_new", id=f"run{number}", settings=chosen)
    run.log({"val_loss": 1.0})
    spent = time.process_time() - begin
    run.finish()
    return 1000 * spent


cost(0)  # which starts wandb's own process
as_it_comes = median(cost(number) for number in range(1, 8))
without = median(cost(number, x_save_requirements=False) for number in range(8, 15))
print(f"as it comes: {as_it_comes:.0f} ms of processor time a run")
print(f"x_save_requirements=False: {without:.0f} ms")
sys.exit(int(as_it_comes < 3 * without))
END
