"""How much each hyper-parameter mattered, by Optuna's PED-ANOVA."""

import math
import warnings
from typing import Any

import pandas as pd

FEWEST = 20
"""Trials below which the best tenth says nothing."""
MOST_LEVELS = 8
"""Of a hyper-parameter that was chosen from a list."""
_NO_PARAMETERS = ("config/seed",)


def importances(trials: pd.DataFrame, metric: str) -> dict[str, float]:
    """Share of each varied hyper-parameter [sums to 1] in reaching the best tenth of `metric`, most important first.

    Watanabe et al. 2023, arXiv:2304.10255, relative to what was searched. A trial says nothing of those that it has no
    value of: they are dead in it. Empty for fewer than FEWEST trials with the metric and where it is the same for all.
    """
    able = trials[trials[metric].notna()]
    columns = varied_parameters(able)
    if len(able) < FEWEST or able[metric].nunique() < 2 or not columns:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: _distribution(able[name].dropna(), optuna.distributions) for name in columns}
    there = {name: able[name].notna().tolist() for name in columns}
    study = optuna.create_study(direction="maximize")
    values = {name: _plain(able[name]) for name in columns}
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: values[name][row] for name in columns if there[name][row]},
                distributions={name: distributions[name] for name in columns if there[name][row]},
                value=float(score),
            )
            for row, score in enumerate(able[metric])
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = optuna.importance.get_param_importances(study)
    if not sum(shares.values()) > 0 or not all(map(math.isfinite, shares.values())):
        return {}
    return {name.removeprefix("config/"): float(share) for name, share in shares.items()}


def varied_parameters(trials: pd.DataFrame) -> list[str]:
    """The `config/` columns of hyper-parameters that differ between trials."""
    columns = [name for name in map(str, trials) if name.startswith("config/") and name not in _NO_PARAMETERS]
    return [name for name in columns if trials[name].nunique() > 1]


def is_scale(column: pd.Series) -> bool:
    """Whether its values are best seen on a scale of numbers: more than a few, which would be levels."""
    return is_numeric(column) and column.nunique() > MOST_LEVELS


def is_numeric(column: pd.Series) -> bool:
    """Whether its values have an order and distances."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def is_logarithmic(column: pd.Series) -> bool:
    """Whether the middle one of a column's numbers is nearer to the middle of a logarithmic than of a linear scale."""
    low, middle, high = column.min(), column.median(), column.max()
    if not 0 < low < high:
        return False
    by_factor = math.log(middle / low) / math.log(high / low)
    return bool(abs(by_factor - 0.5) < abs((middle - low) / (high - low) - 0.5))


def _distribution(column: pd.Series, kinds: Any) -> Any:
    if not is_scale(column):
        return kinds.CategoricalDistribution(sorted(set(_plain(column)), key=str))
    kind = kinds.IntDistribution if pd.api.types.is_integer_dtype(column) else kinds.FloatDistribution
    low, high = _plain(pd.Series([column.min(), column.max()], dtype=column.dtype))
    return kind(low, high, log=is_logarithmic(column))


def _plain(column: pd.Series) -> list[Any]:
    return column.astype(object).map(lambda value: value.item() if hasattr(value, "item") else value).tolist()
