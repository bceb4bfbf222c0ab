"""Syne Tune's searches on a table, in an environment of its own: ``python syne_tune_searches.py TABLE.json SEEDS``.

Its pins are not this project's, so that nothing of it is imported here. Prints a JSON object of every search's trials
by name: the row of each in the table, and its epochs.
"""

import json
import logging
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, loguniform
from syne_tune.optimizer.baselines import ASHA, BOHB

_METHODS = {
    "Syne Tune: ASHA": ASHA,
    "Syne Tune: BOHB": BOHB,
}


def run(method: type, table: dict[str, Any], seed: int) -> list[tuple[int, int]]:
    """The trials of a search: row and epochs."""
    np.random.seed(seed)
    values = table["values"]
    rates = values["learning_rate"]
    space = {name: choice(listed) for name, listed in values.items()}
    space["learning_rate"] = loguniform(rates[0], rates[-1])
    scheduler = method(space, "score", "epoch", table["epochs"], do_minimize=False, random_seed=seed)
    trials: list[tuple[int, int]] = []
    for number in range(table["trials"]):
        config = scheduler.suggest().config
        trial = Trial(number, config, None)
        scheduler.on_trial_add(trial)
        near = min(rates, key=lambda rate: abs(math.log(rate / config["learning_rate"])))
        row = table["rows"]["|".join(str({**config, "learning_rate": near}[name]) for name in values)]
        for epoch, score in enumerate(table["curves"][row], start=1):
            result = {"score": score, "epoch": epoch}
            if epoch == table["epochs"]:
                scheduler.on_trial_complete(trial, result)
            elif scheduler.on_trial_result(trial, result) == "STOP":
                scheduler.on_trial_remove(trial)
                break
        trials.append((row, epoch))
    return trials


def main() -> None:
    """Run every method with every seed."""
    logging.disable(logging.WARNING)
    table = json.loads(Path(sys.argv[1]).read_text())
    seeds = range(int(sys.argv[2]))
    print(json.dumps({name: [run(method, table, seed) for seed in seeds] for name, method in _METHODS.items()}))


if __name__ == "__main__":
    main()
