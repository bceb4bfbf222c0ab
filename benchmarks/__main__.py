"""`make bench`: run every benchmark, print one table, write benchmarks/results.json."""

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    checkpoint,
    compare,
    input_path,
    memory,
    preparing,
    reading,
    report,
    restart,
    scale,
    search,
    sharing,
    start,
    throughput,
    together,
    trial_cost,
)

_MODULES = (
    start,
    input_path,
    preparing,
    memory,
    throughput,
    checkpoint,
    trial_cost,
    scale,
    together,
    sharing,
    restart,
    reading,
    compare,
    report,
    search,
)


def main() -> None:
    machine = f"{os.cpu_count()} CPU cores, {platform.machine()}, Python {platform.python_version()}"
    rows = [row for module in _MODULES for row in module.measure()]
    table = Table("what", "value", "unit", "bar", "ok", box=None, title=machine)
    for row in rows:
        table.add_row(row.name, f"{row.value:.3g}", row.unit, row.bar, "yes" if row.ok else "NO")
    Console(width=140).print(table)
    results = [{**asdict(row), "machine": machine} for row in rows]
    Path(__file__).with_name("results.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
