"""`make bench`: run every benchmark, print one table, write benchmarks/results.json.

`python -m benchmarks MODULE ...` runs those alone. New rows replace those of before; rows of other machines stay, such
as one with a GPU.
"""

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    checkpoint,
    compare,
    compiled,
    input_path,
    memory,
    one_worker,
    preparing,
    reading,
    report,
    restart,
    result_grid,
    scale,
    search,
    sharing,
    start,
    throughput,
    together,
    trial_cost,
    watching,
)

_MODULES = (
    start,
    input_path,
    preparing,
    memory,
    throughput,
    compiled,
    checkpoint,
    trial_cost,
    one_worker,
    scale,
    together,
    sharing,
    restart,
    reading,
    result_grid,
    compare,
    report,
    watching,
    search,
)
_RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    modules = {module.__name__.rpartition(".")[2]: module for module in _MODULES}
    chosen = sys.argv[1:]
    if unknown := [name for name in chosen if name not in modules]:
        sys.exit(f"error: no benchmark is called {', '.join(unknown)}; there are {', '.join(modules)}")
    machine = f"{os.cpu_count()} CPU cores, {platform.machine()}, Python {platform.python_version()}"
    table = Table("what", "value", "unit", "bar", "ok", box=None, title=machine)
    before = json.loads(_RESULTS.read_text())
    results = {row["name"]: row for row in before if chosen or row["machine"] != machine}
    for name in chosen or modules:
        print(f"measuring {name}", file=sys.stderr)
        for row in modules[name].measure():
            table.add_row(row.name, f"{row.value:.3g}", row.unit, row.bar, "yes" if row.ok else "NO")
            results[row.name] = {**asdict(row), "machine": machine}
        _RESULTS.write_text(json.dumps(list(results.values()), indent=2) + "\n")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
