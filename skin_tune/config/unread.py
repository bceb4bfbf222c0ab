"""Hyper-parameters that were named, and that training never reads: whoever names them should hear of it."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skin_tune.config.canonical import RULES, Rule


def unread(names: Iterable[str], options: Mapping[str, Sequence[Any]]) -> list[str]:
    """Lines such as ``gamma and beta do nothing with train_loss=ce``: those of `names` that are dead in every config.

    `options` has the values that each hyper-parameter can have; of a range its ends are enough, as no rule asks of a
    number more than whether it is above another.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        rule = next((rule for rule in RULES if rule.name == name and not _ever_holds(rule, options)), None)
        if rule is not None:
            deciders = (f"{read}={_in_words(options[read])}" for read in rule.reads if read != name)
            found.setdefault(", ".join(deciders), []).append(name)
    return [
        f"{' and '.join(dead)} {'does' if len(dead) == 1 else 'do'} nothing with {why}" for why, dead in found.items()
    ]


def _in_words(values: Sequence[Any]) -> str:
    if len(values) > 1 and all(isinstance(value, int | float) for value in values):
        return f"{min(values):g} to {max(values):g}"
    return "|".join(map(str, values))


def _ever_holds(rule: Rule, options: Mapping[str, Sequence[Any]]) -> bool:
    combinations = itertools.product(*(options[read] for read in rule.reads))
    return any(rule.holds(dict(zip(rule.reads, values, strict=True))) for values in combinations)
