"""From a source to packs: read labels, cut crops, write a pack for each region."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from skin_tune.data.pack.crops.file import crops_start
from skin_tune.data.pack.crops.unused import unused_crops
from skin_tune.data.pack.writer import images_start
from skin_tune.data.preparation.cutting import cut_all
from skin_tune.data.preparation.pack_builder import Chosen, Prepared, choose_rows
from skin_tune.data.preparation.pack_files import write_packs
from skin_tune.data.preparation.packable import cannot_be_packed
from skin_tune.data.preparation.places import CropFile
from skin_tune.data.preparation.sharing import sharing_regions
from skin_tune.data.preparation.space import check_space, largest_info, needed_bytes
from skin_tune.data.sources.aihub import read_aihub
from skin_tune.data.sources.class_folders import read_folders
from skin_tune.data.sources.csv_table import read_csv
from skin_tune.data.sources.manifest import Manifest
from skin_tune.data.sources.people import with_people
from skin_tune.data.sources.request import PrepareRequest, checked_format
from skin_tune.errors import SourceError
from skin_tune.storage.files import Location, is_local, remove_abandoned_writes
from skin_tune.storage.run_paths import CROPS_SUFFIX, joined_path, pack_path
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
    groups = sharing_regions(rows, [region for region in manifest.classes if not missing[region]])
    crops = {region: file for group in groups for region, file in _crop_files(group, manifest, staging, request)}
    _check_space(needed_bytes(crops, rows, request.size), staging, request)
    cuts = cut_all(rows, crops, request.size, partial(progress, "photos"), request.max_megapixels)
    outcomes = []
    chosen: dict[str, Chosen] = {}
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
            chosen[region] = choose_rows(outcome, of_region, manifest, request)
        except SourceError as error:
            outcome.error = str(error)
    if not chosen:
        raise SourceError("; ".join(outcome.error for outcome in outcomes))
    files: list[Path] = []
    for group in groups:
        if packs := [chosen[region] for region in group if region in chosen]:
            files += write_packs(packs, crops[group[0]])
    _move(files, [pack.outcome for pack in chosen.values()], request.out)
    return outcomes


def _crop_files(
    group: list[str], manifest: Manifest, staging: Path, request: PrepareRequest
) -> list[tuple[str, CropFile]]:
    """The file of the crops of each region of a group that shares them: the same for all.

    Where one region alone comes of it, it becomes that one's pack.
    """
    path = staging / pack_path(request.out, group[0], request.size).name
    start = max(images_start(largest_info(region, manifest, request)) for region in group)
    if len(group) > 1:
        path, start = path.with_suffix(CROPS_SUFFIX), max(start, crops_start(request.size))
    return [(region, CropFile(path, start)) for region in group]


def _check_space(needed: list[int], staging: Path, request: PrepareRequest) -> None:
    if is_local(request.out):
        check_space(request.out, needed, request.size, "another --out")
    else:
        check_space(staging.parent, needed, request.size, "set TMPDIR to a folder on a larger disk")


def _move(files: list[Path], outcomes: list[Prepared], out: Location) -> None:
    """Move `files` to `out`, and remove what they make obsolete there: tables of joined people, files of crops."""
    written = {file.name for file in files}
    tables = [name for name in (joined_path(outcome.path).name for outcome in outcomes) if name not in written]
    move_together(files, out, obsolete=tables + unused_crops(out, [outcome.path for outcome in outcomes], written))


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
