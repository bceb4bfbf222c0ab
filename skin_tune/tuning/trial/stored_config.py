"""The config in a row of the store's `trials`: the one place that turns its `config/` columns into a TrialConfig."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from skin_tune.config import TrialConfig
from skin_tune.errors import ConfigError

_PREFIX = "config/"


def config_of(row: Mapping[Any, Any]) -> TrialConfig:
    """The config of a trial, from its row as the store or a dataframe has it.

    A hyper-parameter that the row lacks, or has no value for, is one that its version of the program did not have yet:
    see `TrialConfig.from_stored`. Raises ConfigError for one that this version does not know.
    """
    if pd.notna(row.get("members")):
        raise ConfigError(f"{row['trial_id']!r} is a combination of models, which has no config of its own")
    stored = {str(name).removeprefix(_PREFIX): row[name] for name in row if str(name).startswith(_PREFIX)}
    return TrialConfig.from_stored({name: value for name, value in stored.items() if not pd.isna(value)})
