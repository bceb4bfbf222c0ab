#!/usr/bin/env bash
# Packages: ray 2.60.0.
# Guess: Tuner.restore brings an interrupted search back: trials, searcher, and the scheduler with what it has seen.
# What happens: ASHA begins with empty rungs. The first trial at an empty rung always passes, so the first one after the
#     restore runs to its end however bad it is, and the next ones are judged against that one.
# Why it matters: long searches are the ones that are interrupted. Each restart costs the epochs of trials that an unbroken
#     search stops after one, and which trials are stopped depends on when the machine went down.
# Seen: epochs of eight trials, each worse than the one before
#     unbroken: [8, 1, 1, 1, 1, 1, 1, 1]
#     ended in trial 5 and restored: [8, 1, 1, 1, 8, 1, 1, 1]
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
from ray.tune.schedulers import ASHAScheduler


class Training(tune.Trainable):
    def setup(self, config):
        self.accuracy = 1 - config["number"] / 10

    def step(self):
        return {"accuracy": self.accuracy}

    def save_checkpoint(self, folder):
        pass

    def load_checkpoint(self, folder):
        pass

    def reset_config(self, config):
        self.setup(config)
        return True


class PowerCut(tune.Callback):
    def on_trial_start(self, iteration, trials, trial, **info):
        if trial.config["number"] == 4 and not os.path.exists("again"):
            open("again", "w").close()
            raise RuntimeError("power cut")


def search(name, callbacks=()):
    asha = ASHAScheduler(metric="accuracy", mode="max", grace_period=1, reduction_factor=2, max_t=8)
    config = tune.TuneConfig(scheduler=asha, max_concurrent_trials=1, reuse_actors=True)
    run = tune.RunConfig(name=name, storage_path=os.getcwd(), verbose=0, callbacks=list(callbacks))
    return tune.Tuner(Training, param_space={"number": tune.grid_search(range(8))}, tune_config=config, run_config=run)


def epochs(results):
    return [result.metrics["training_iteration"] for result in sorted(results, key=lambda one: one.config["number"])]


os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "0"
ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
unbroken = epochs(search("unbroken").fit())
print("unbroken:", unbroken)
try:
    search("cut", [PowerCut()]).fit()
except Exception as error:
    assert "power cut" in str(error)
restored = epochs(tune.Tuner.restore(f"{os.getcwd()}/cut", Training).fit())
print("ended in trial 5 and restored:", restored)
sys.exit(not (unbroken == [8] + [1] * 7 and restored[1:4] == [1, 1, 1] and max(restored[4:]) == 8))
END
