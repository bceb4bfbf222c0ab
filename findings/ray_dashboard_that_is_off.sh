#!/usr/bin/env bash
# Packages: ray 2.60.0 with its extra "default".
# Guess: `ray.init(include_dashboard=False)` starts no dashboard.
# What happens: the process of the dashboard starts as well, with some of its modules and without the page, and so do an agent
#     on each node and another for environments.
# Why it matters: on a small machine they hold 330 MB beside the trials, and where cores are busy a start takes
#     half a minute, which is when Ray gives up.
# Seen:
#     dashboard.py, 121 MB
#     ray::DashboardAgent, 126 MB
#     ray::RuntimeEnvAgent, 83 MB
#     address of the page: ''
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --compile-bytecode --python bin/python "ray[default]==2.60.0" psutil==7.2.2
RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0 RAY_AIR_NEW_OUTPUT=0 bin/python - <<'END'
import sys
from pathlib import PurePath

import psutil
import ray

context = ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
found = {}
for process in psutil.Process().children(recursive=True):
    words = process.cmdline()
    name = next((PurePath(word).name for word in words if word.endswith("dashboard.py")), words[0].strip() if words else "")
    if "dashboard" in name.lower() or "RuntimeEnvAgent" in name:
        found[name] = process.memory_info().rss / 1e6
for name, size in found.items():
    print(f"{name}, {size:.0f} MB")
print(f"address of the page: {context.dashboard_url!r}")
ray.shutdown()
sys.exit("dashboard.py" not in found)
END
