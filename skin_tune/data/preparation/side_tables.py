"""CSV tables beside a pack: rows that could not be used, and subjects that were joined."""

import csv
from collections.abc import Sequence
from pathlib import Path

from skin_tune.data.sources.manifest import Quarantined
from skin_tune.storage.files import Location, atomic_write
from skin_tune.text.escaping import spreadsheet_cell


def write_quarantine(path: Path, quarantined: list[Quarantined]) -> None:
    """One row per unusable row of the source: ``source,reason,detail``."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "reason", "detail"])
        writer.writerows(map(spreadsheet_cell, (entry.source, entry.reason, entry.detail)) for entry in quarantined)


def write_joined(path: Location, joined: Sequence[tuple[str, str, str]]) -> None:
    """One row per shared picture: ``person,subject,source``; no file where there is none."""
    if not joined:
        path.unlink(missing_ok=True)  # of a pack that was here before
        return
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["person", "subject", "source"])
        writer.writerows(map(spreadsheet_cell, row) for row in joined)
