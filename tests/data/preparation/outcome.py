"""What `prepare` was given and has left, read with nothing of our own."""

import csv
from pathlib import Path


def lips(root: Path) -> Path:
    return root / "label" / "01"


def quarantine(pack: Path) -> list[dict[str, str]]:
    with pack.with_suffix(".quarantine.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
