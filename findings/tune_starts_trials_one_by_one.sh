#!/usr/bin/env bash
# Packages: ray 2.60.0.
# Guess: with three places free, three trials start side by side, whether Tune draws their values itself or a searcher is given.
# What happens: with a searcher Tune keeps one trial that has not begun, and one begins when its actor's setup has ended. The
#     processes of a search thus start one after another: the next one is not even asked for until the last one has imported
#     its libraries and read its data. `TUNE_MAX_PENDING_TRIALS_PG` in the environment sets another number.
# Why it matters: a start takes ten seconds to a minute. 64 places of a cluster that is paid by the hour need up to an hour to
#     fill, and nothing in the log tells that they wait.
# Seen:
#     random sampling: 3 of 3 setups overlap with another
#     a searcher: 0 of 3 setups overlap with another
#     a searcher, TUNE_MAX_PENDING_TRIALS_PG=3: 3 of 3 setups overlap with another
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
import time

import ray
from ray import tune
from ray.tune.search import Searcher


class Three(Searcher):
    asked = 0

    def suggest(self, trial_id):
        self.asked += 1
        return {"rate": 0.1} if self.asked <= 3 else Searcher.FINISHED

    def on_trial_complete(self, trial_id, result=None, error=False):
        pass


class Training(tune.Trainable):
    def setup(self, config):
        self.begin = time.time()
        time.sleep(10)  # libraries and data
        self.end = time.time()

    def step(self):
        return {"begin": self.begin, "end": self.end, "done": True}

    def save_checkpoint(self, folder):
        pass


def overlapping(name, **options):
    run = tune.RunConfig(storage_path=os.getcwd(), verbose=0)
    config = tune.TuneConfig(num_samples=3, **options)
    results = tune.Tuner(Training, param_space={}, tune_config=config, run_config=run).fit()
    setups = sorted((result.metrics["begin"], result.metrics["end"]) for result in results)
    count = sum(any(b[0] < a[1] and a[0] < b[1] for b in setups if b is not a) for a in setups)
    print(f"{name}: {count} of {len(setups)} setups overlap with another")
    return count


ray.init(num_cpus=3, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
drawn, searched = overlapping("random sampling"), overlapping("a searcher", search_alg=Three(metric="end", mode="min"))
os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "3"
more = overlapping("a searcher, TUNE_MAX_PENDING_TRIALS_PG=3", search_alg=Three(metric="end", mode="min"))
sys.exit(not (drawn >= 2 and searched == 0 and more >= 2))
END
