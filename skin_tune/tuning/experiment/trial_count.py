"""How many trials an experiment has: as many as asked for, and no more than there are different configs."""

import math
from collections.abc import Sequence

from skin_tune.config import Values, key_of
from skin_tune.text.wording import counted
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.space.configs import Configs
from skin_tune.tuning.space.parameters import Space

DEFAULT_TRIALS = 32


def wanted_trials(request: TuneRequest, space: Space) -> int:
    """Trials asked for, whether or not there are as many different configs."""
    wanted = request.trials or space.run_cap
    if space.method != "grid":
        return wanted or DEFAULT_TRIALS
    combinations = math.prod(len(parameter.grid()) for parameter in space.parameters)
    return min(wanted or combinations, combinations)


def possible_trials(configs: Configs, wanted: int, started: int = 0, tried: Sequence[Values] = ()) -> tuple[int, str]:
    """`wanted`, or fewer where the space has not as many configs that are new; and a line on what is left out, if any.

    Trials that have `started` count, and the configs `tried` in them are not new.
    """
    is_grid = configs.space.method == "grid"
    different = configs.listed(math.inf if is_grid else wanted)
    if different is None:
        return wanted, ""
    known = {key_of(config) for config in tried}
    unused = sum(key_of(config) not in known for config in different)
    trials = started + min(unused, max(0, wanted - started))
    combinations = math.prod(len(parameter.listed() or ()) for parameter in configs.space.searched)
    doubled = combinations - len(different)
    if trials == wanted and not (is_grid and doubled > 0):
        return wanted, ""
    line = f"{counted(trials, 'trial')}: the space has {counted(len(different), 'different config')}"
    if trials < wanted:
        line = f"{counted(trials, 'trial')}, not {wanted}: the space has {counted(len(different), 'different config')}"
    if tried:
        line += f", of which {unused or 'none'} {'has' if unused == 1 else 'have'} not been run"
    if doubled > 0:
        line += f"; {doubled} of its {combinations} combinations would train like another and are left out"
    return trials, line
