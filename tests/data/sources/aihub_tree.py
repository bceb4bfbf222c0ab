"""AI-Hub trees, written and read in a line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from skin_tune.data.sources.aihub import read_aihub
from skin_tune.data.sources.manifest import Manifest
from skin_tune.data.sources.request import PrepareRequest

AddLabel = Callable[..., Path]


def read(*roots: Path, regions: str = "all", on_label: Any = lambda done, total: None, **options: Any) -> Manifest:
    return read_aihub(PrepareRequest(roots, regions, **options), on_label=on_label)


def add_photo(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(b"only listed, never opened, while labels are read")
    return path


def found(manifest: Manifest) -> list[tuple[str, str, int, bool]]:
    return sorted((row.region, row.source, row.label, row.mirrored) for row in manifest.rows)


def refused(manifest: Manifest) -> list[tuple[str, str, str]]:
    return sorted((entry.region, entry.source, entry.reason) for entry in manifest.quarantined)
