"""What `import-wandb` has taken in, and what not."""

import sys
from collections.abc import Iterable

from skin_tune.text.escaping import escaped
from skin_tune.text.wording import counted
from skin_tune.tuning.wandb_import.importer import Imported

_MOST_NAMES = 12


def print_imported(imported: Imported) -> None:
    """A line for each experiment; on standard error one for each reason why something was left out."""
    for (region, experiment), statuses in imported.statuses.items():
        how = ", ".join(f"{count} {status}" for status, count in statuses.items())
        runs, epochs = counted(statuses.total(), "run"), counted(imported.epochs[region, experiment], "epoch")
        print(escaped(f"{experiment} ({region}): {runs} imported ({how}), {epochs}"))
    if not imported.statuses:
        print("no run was imported")
    left_out = [f"{counted(count, 'run')} left out: {why}" for why, count in imported.skipped.items() if count]
    left_out += [f"1 run left out: {why}" for why in imported.damaged]
    if imported.unused_metrics:
        hint = "--rename THEIRS=OURS gives one a column"
        left_out.append(f"not used of the histories: {_names(imported.unused_metrics)}; {hint}")
    if imported.unused_config:
        names = _names(imported.unused_config)
        left_out.append(f"not taken as hyper-parameters: {names}; the column wandb_config has them")
    for line in left_out:
        print(escaped(line), file=sys.stderr)


def _names(names: Iterable[str]) -> str:
    known = sorted(names)
    more = len(known) - _MOST_NAMES
    return ", ".join(known[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
