#!/usr/bin/env bash
# Packages: wandb 0.31.0.
# Guess: after `run.finish()` an offline run is whole on disk; a copy of its folder can be taken or synced.
# What happens: finish returns while wandb's own process is still writing. Of some runs the file has nothing but its header of
#     7 bytes at that moment; a second later all are whole. Nothing says when.
# Why it matters: jobs copy the folder to a shared disk and leave as soon as the last run is finished; containers end with the
#     program. Runs that were complete are then empty, and `wandb sync` uploads a run without epochs.
# Seen:
#     40 runs finished: 27 files of 7 bytes at once, 0 after two seconds
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python wandb==0.31.0
bin/python - <<'END'
import sys
import time
from pathlib import Path

import wandb

settings = wandb.Settings(silent=True, x_save_requirements=False, console="off", x_disable_stats=True)
at_once = []
for number in range(40):
    run = wandb.init(mode="offline", project="p", reinit="create_new", id=f"run{number}", settings=settings)
    for epoch in range(5):
        run.log({"val_loss": 1 / (epoch + 1)})
    run.finish()
    file = next(Path("wandb").glob(f"offline-run-*-run{number}/run-run{number}.wandb"), None)
    at_once.append(file.stat().st_size if file else 0)
time.sleep(2)
later = [file.stat().st_size for file in Path("wandb").glob("offline-run-*/*.wandb")]
empty, still = sum(size <= 7 for size in at_once), sum(size <= 7 for size in later)
print(f"{len(at_once)} runs finished: {empty} files of 7 bytes at once, {still} after two seconds")
sys.exit(int(empty == 0 or still > 0 or len(later) != len(at_once)))
END
