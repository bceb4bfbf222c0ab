"""What a hand-written loop calls its metrics and hyper-parameters: `--rename THEIRS=OURS`."""

import difflib
import re
from collections.abc import Iterable, Mapping

from skin_tune.config import FIELDS
from skin_tune.errors import ConfigError
from skin_tune.results.store.schema import EPOCHS

Renames = Mapping[str, str]
"""Ours by theirs."""

COLUMNS = frozenset(EPOCHS.names) - {"trial_id"}
"""Columns of `epochs` that a history may fill by their own names; recalls of classes with other names come beside."""

_METRIC = re.compile(r"(train|val)_\w+")


def is_column(name: str) -> bool:
    """Whether a key of a history is a column of `epochs` as it is."""
    return name in COLUMNS or name.startswith("val_recall_")


def parse_renames(words: Iterable[str]) -> dict[str, str]:
    """``["val/bal_acc=val_balanced_acc"]`` as ours by theirs.

    Ours is a column of `epochs`, a new one that begins with `train_` or `val_`, or a hyper-parameter; raises
    ConfigError for anything else, and for a name that is given twice.
    """
    found: dict[str, str] = {}
    for word in words:
        theirs, _, ours = word.rpartition("=")
        if not theirs or not ours:
            raise ConfigError(f"--rename {word!r} is not THEIRS=OURS, such as val/bal_acc=val_balanced_acc")
        if ours not in COLUMNS and ours not in FIELDS and not _METRIC.fullmatch(ours):
            near = difflib.get_close_matches(ours, [*COLUMNS, *FIELDS], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "such as val_balanced_acc, train_loss or learning_rate"
            raise ConfigError(f"--rename {word!r}: {ours!r} is neither a metric nor a hyper-parameter; {hint}")
        if theirs in found or ours in found.values():
            raise ConfigError(f"--rename {word!r}: {theirs!r} or {ours!r} is given twice")
        found[theirs] = ours
    return found
