#!/usr/bin/env bash
# Packages: wandb 0.31.0.
# Guess: the folder of an offline run has all that was logged, and can be copied elsewhere and synced there.
# What happens: of an artifact it has the record alone. The files are copied to the artifacts folder of the user's data
#     directory (WANDB_DATA_DIR, else ~/.local/share/wandb), and the record names these copies by their absolute paths. With
#     add_file(policy="immutable") nothing is copied, and the record names the files themselves.
# Why it matters: jobs write offline on machines without a network, and only their `wandb` folder is kept: the curves arrive,
#     the model does not. Each refit also leaves a copy of its model in the home folder.
# Seen:
#     a model of 1000000 bytes: 6358 bytes in the run's folder, a copy in data/artifacts/staging
#     policy="immutable": the record names model.pt itself
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python wandb==0.31.0
WANDB_DATA_DIR="$folder/data" bin/python - <<'END'
import sys
import time
from pathlib import Path

import wandb

settings = wandb.Settings(silent=True, x_save_requirements=False, console="off", x_disable_stats=True)
model = Path("model.pt").absolute()
model.write_bytes(bytes(range(250)) * 4000)
paths = {}
for policy in ("mutable", "immutable"):
    run = wandb.init(mode="offline", project="p", reinit="create_new", id=policy, settings=settings)
    artifact = wandb.Artifact("model", type="model")
    paths[policy] = Path(artifact.add_file(str(model), policy=policy).local_path)
    run.log_artifact(artifact)
    run.finish()
time.sleep(2)
sizes = [file.stat().st_size for file in Path("wandb").glob("offline-run-*-mutable/**/*") if file.is_file()]
copy = paths["mutable"]
kept = copy.is_file() and copy.stat().st_size == model.stat().st_size
where = copy.parent.relative_to(Path.cwd())
print(f"a model of {model.stat().st_size} bytes: {sum(sizes)} bytes in the run's folder, a copy in {where}")
print(f'policy="immutable": the record names {paths["immutable"].name} itself')
sys.exit(int(sum(sizes) > 100_000 or not kept or paths["immutable"] != model))
END
