"""From a source to packs: read labels, cut crops, write a pack for each region."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from skin_tune.data.pack.writer import images_start
from skin_tune.data.preparation.cutting import CropFile, cut_all
from skin_tune.data.preparation.pack_builder import Prepared, write_region
from skin_tune.data.preparation.packable import cannot_be_packed
from skin_tune.data.preparation.space import check_space, largest_info, pack_bytes
from skin_tune.data.sources.aihub import read_aihub
from skin_tune.data.sources.class_folders import read_folders
from skin_tune.data.sources.csv_table import read_csv
from skin_tune.data.sources.manifest import Manifest, Row
from skin_tune.data.sources.people import with_people
from skin_tune.data.sources.request import PrepareRequest, checked_format
from skin_tune.errors import SourceError
from skin_tune.storage.files import is_local, remove_abandoned_writes
from skin_tune.storage.run_paths import joined_path, pack_path
from skin_tune.storage.scratch import ScratchFolder, remove_abandoned
from skin_tune.storage.together import move_together

Progress = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and of how much (None: not known)."""

READERS = {"folders": read_folders, "csv": read_csv}

_STAGING = ".prepare-"
"""Begins the name of the folder, beside the packs, that holds crops on their way into them."""


def prepare(request: PrepareRequest, progress: Progress = lambda stage, done, total: None) -> list[Prepared]:
    """Write one pack per region under `request.out`; a region that gives none carries its `error`.

    Packs appear together once all are written; where the disk becomes full or a signal comes before, none does. Raises
    SourceError where the request itself is wrong, the disk has no room, or no region gives a pack.
    """
    source_format = checked_format(request)
    manifest = _read(request, source_format, progress)
    missing = {region: cannot_be_packed(manifest, region, request) for region in manifest.classes}
    if all(missing.values()):
        raise SourceError("; ".join(missing.values()))
    local = is_local(request.out)
    made_out = local and not os.path.lexists(request.out)
    try:
        if local:
            request.out.mkdir(parents=True, exist_ok=True)
        beside = request.out if local else None
        remove_abandoned(beside, _STAGING)
        for region in manifest.classes:
            remove_abandoned_writes(pack_path(request.out, region, request.size))
        with ScratchFolder(beside=beside, prefix=_STAGING) as staging:
            outcomes = _write_packs(manifest, missing, staging, request, progress)
    except OSError as error:
        raise SourceError(f"--out {str(request.out)!r} cannot be written to: {error.strerror or error}") from None
    finally:
        if made_out:
            with suppress(OSError):
                request.out.rmdir()  # goes only where nothing was written
    return outcomes


def _write_packs(
    manifest: Manifest, missing: dict[str, str], staging: Path, request: PrepareRequest, progress: Progress
) -> list[Prepared]:
    rows = [row for row in manifest.rows if not missing[row.region]]
    crops = {
        region: CropFile(
            staging / pack_path(request.out, region, request.size).name,
            images_start(largest_info(region, manifest, request)),
        )
        for region in manifest.classes
        if not missing[region]
    }
    _check_space(crops, rows, staging, request)
    cuts = cut_all(rows, crops, request.size, partial(progress, "photos"), request.max_megapixels)
    files: list[Path] = []
    outcomes = []
    for region in manifest.classes:
        outcome = Prepared(region, pack_path(request.out, region, request.size))
        outcome.not_visible = manifest.not_visible[region]
        outcome.left_out, outcome.notes = manifest.left_out, list(manifest.notes)
        outcome.warnings = list(manifest.warnings)
        outcomes.append(outcome)
        try:
            if missing[region]:
                raise SourceError(missing[region])
            of_region = [(row, cut) for row, cut in zip(rows, cuts, strict=True) if row.region == region]
            files += write_region(outcome, of_region, crops[region], manifest, request)
        except SourceError as error:
            outcome.error = str(error)
    if all(outcome.error for outcome in outcomes):
        raise SourceError("; ".join(outcome.error for outcome in outcomes))
    written = {file.name for file in files}
    tables = [joined_path(outcome.path).name for outcome in outcomes if not outcome.error]
    move_together(files, request.out, obsolete=[name for name in tables if name not in written])
    return outcomes


def _check_space(crops: dict[str, CropFile], rows: list[Row], staging: Path, request: PrepareRequest) -> None:
    counts = Counter(row.region for row in rows)
    needed = [pack_bytes(file.start, counts[region], request.size) for region, file in crops.items()]
    if is_local(request.out):
        check_space(request.out, needed, request.size, "another --out")
    else:
        check_space(staging.parent, needed, request.size, "set TMPDIR to a folder on a larger disk")


def _read(request: PrepareRequest, source_format: str, progress: Progress) -> Manifest:
    def on_file(count: int) -> None:
        progress("files", count, None)

    try:
        if source_format == "aihub":
            manifest = read_aihub(request, on_file, partial(progress, "labels"))
        else:
            manifest = READERS[source_format](request, on_file)
    except OSError as error:
        where = ", ".join(map(str, request.sources))
        raise SourceError(f"{where} cannot be read: {error.strerror or error}") from None
    return with_people(manifest)
