"""From a source to packs: read labels, cut crops, write a pack for each region."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from skin_tune.data.preparation.crops import available_cpus, cut_all
from skin_tune.data.preparation.pack_builder import Prepared, write_region
from skin_tune.data.preparation.packable import cannot_be_packed
from skin_tune.data.sources.aihub import read_aihub
from skin_tune.data.sources.class_folders import read_folders
from skin_tune.data.sources.csv_table import read_csv
from skin_tune.data.sources.manifest import Manifest
from skin_tune.data.sources.people import with_people
from skin_tune.data.sources.request import PrepareRequest, checked_format
from skin_tune.errors import SourceError
from skin_tune.storage.files import is_local, remove_abandoned_writes
from skin_tune.storage.run_paths import pack_path
from skin_tune.storage.scratch import ScratchFolder, remove_abandoned

Progress = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and of how much (None: not known)."""

READERS = {"folders": read_folders, "csv": read_csv}

_STAGING = ".prepare-"
"""Begins the name of the folder, beside the packs, that holds crops on their way into them."""


def prepare(request: PrepareRequest, progress: Progress = lambda stage, done, total: None) -> list[Prepared]:
    """Write one pack per region under `request.out`; a region that gives none carries its `error`.

    Raises SourceError where the request itself is wrong or no region gives a pack.
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
    if all(outcome.error for outcome in outcomes):
        raise SourceError("; ".join(outcome.error for outcome in outcomes))
    return outcomes


def _write_packs(
    manifest: Manifest, missing: dict[str, str], staging_folder: Path, request: PrepareRequest, progress: Progress
) -> list[Prepared]:
    rows = [row for row in manifest.rows if not missing[row.region]]
    staging = {region: staging_folder / region for region in manifest.classes}
    on_photo = partial(progress, "photos")
    cuts = cut_all(rows, staging, request.size, on_photo, request.max_megapixels)

    def written(region: str) -> Prepared:
        outcome = Prepared(region, pack_path(request.out, region, request.size))
        outcome.not_visible = manifest.not_visible[region]
        outcome.left_out, outcome.notes = manifest.left_out, list(manifest.notes)
        outcome.warnings = list(manifest.warnings)
        try:
            if missing[region]:
                raise SourceError(missing[region])
            of_region = [(row, cut) for row, cut in zip(rows, cuts, strict=True) if row.region == region]
            write_region(outcome, of_region, staging[region], manifest, request)
        except SourceError as error:
            outcome.error = str(error)
        return outcome

    with ThreadPoolExecutor(available_cpus()) as pool:  # copying files takes no interpreter lock
        return list(pool.map(written, manifest.classes))


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
