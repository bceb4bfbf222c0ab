"""CSV tables beside a pack: rows that could not be used, and subjects that were joined."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from skin_tune.data.sources.manifest import Quarantined
from skin_tune.storage.files import Location, is_regular
from skin_tune.text.escaping import spreadsheet_cell


def write_quarantine(path: Path, quarantined: Sequence[Quarantined]) -> Path:
    """One row per unusable row of the source: ``source,reason,detail``; returns `path`."""
    rows = ((entry.source, entry.reason, entry.detail) for entry in quarantined)
    return _write(path, ("source", "reason", "detail"), rows)


def quarantined_by_reason(path: Location) -> dict[str, int] | None:
    """Rows of the file of `write_quarantine` by reason, the most frequent first; None where there is no such file."""
    if not is_regular(path):
        return None
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8", errors="replace")))
        reasons = Counter(str(row["reason"]) for row in rows)
    except (OSError, csv.Error, KeyError):
        return None
    return dict(reasons.most_common())


def write_joined(path: Path, joined: Sequence[tuple[str, str, str]]) -> Path:
    """One row per shared picture: ``person,subject,source``; returns `path`."""
    return _write(path, ("person", "subject", "source"), joined)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(map(spreadsheet_cell, row) for row in rows)
    return path
