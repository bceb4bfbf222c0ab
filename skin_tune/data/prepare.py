"""From a source to packs: read labels, cut crops, split by subject, write."""

import csv
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skin_tune.data.aihub import read_aihub
from skin_tune.data.crops import CutResult, cut_all
from skin_tune.data.pack import PackInfo, PackRows, content_id, write_pack
from skin_tune.data.sources import (
    PHOTO_NAME,
    Manifest,
    Quarantined,
    Row,
    SubjectRule,
    files_under,
    read_csv,
    read_folders,
)
from skin_tune.data.split import SPLITS, shared_subjects, split_by_subject
from skin_tune.errors import SkinTuneError, SourceError
from skin_tune.paths import atomic_write, is_local, pack_path, quarantine_path
from skin_tune.regions import CATALOGUE, catalogue_regions

FORMATS = ("aihub", "folders", "csv")

Progress = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and of how much (None: not known)."""


@dataclass(frozen=True)
class PrepareRequest:
    """What `prepare` was asked for. Construction checks nothing; `prepare` does, before anything slow."""

    sources: Sequence[Path]
    regions: str
    """Comma-separated names, or `all`."""
    format: str | None = None
    """One of FORMATS; None to tell it from the source."""
    images: Path | None = None
    """Root of the photo tree, where it is not under the sources (AI-Hub)."""
    size: int = 256
    out: Path = Path("packs")
    subject_column: str | None = None
    subject_pattern: str | None = None
    split_ratios: tuple[int, int, int] = (60, 20, 20)
    split_seed: int = 0


@dataclass
class Prepared:
    """The outcome for one region: a pack, or the reason why there is none."""

    region: str
    path: Path
    info: PackInfo | None = None
    quarantined: Counter[str] = field(default_factory=Counter)
    not_visible: int = 0
    warnings: list[str] = field(default_factory=list)
    error: str = ""


def prepare(request: PrepareRequest, progress: Progress = lambda stage, done, total: None) -> list[Prepared]:
    """Write one pack per region under `request.out`; a region that gives none carries its `error`.

    Raises SourceError where the request itself is wrong or no region gives a pack.
    """
    source_format = _check(request)
    manifest = _read(request, source_format, progress)
    missing = {region: _missing_classes(manifest, region) for region in manifest.classes}
    if all(missing.values()):
        raise SourceError("; ".join(missing.values()))
    local = is_local(request.out)
    made_out = local and not os.path.lexists(request.out)
    try:
        if local:
            request.out.mkdir(parents=True, exist_ok=True)
        beside = request.out if local else None
        with tempfile.TemporaryDirectory(prefix=".prepare-", dir=beside, ignore_cleanup_errors=True) as staging:
            outcomes = _write_packs(manifest, missing, Path(staging), request, progress)
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
    cuts = cut_all(rows, staging, request.size, lambda done, total: progress("photos", done, total))
    outcomes = []
    for region in manifest.classes:
        outcome = Prepared(region, pack_path(request.out, region, request.size))
        outcome.not_visible = manifest.not_visible[region]
        outcome.warnings = list(manifest.warnings)
        try:
            if missing[region]:
                raise SourceError(missing[region])
            of_region = [(row, cut) for row, cut in zip(rows, cuts, strict=True) if row.region == region]
            _write_region(outcome, of_region, staging[region], manifest, request)
        except SourceError as error:
            outcome.error = str(error)
        outcomes.append(outcome)
    return outcomes


def _check(request: PrepareRequest) -> str:
    if not 16 <= request.size <= 2048:
        raise SourceError(f"size {request.size} is outside [16, 2048] pixels")
    if request.split_seed < 0:
        raise SourceError(f"split seed {request.split_seed} is below 0")
    for path in (*request.sources, *([request.images] if request.images else [])):
        if not os.path.exists(path):  # noqa: PTH110  Path.exists raises for a name that is too long
            raise SourceError(f"{str(path)!r} does not exist")
    if is_local(request.out):
        _check_out(request.out)
    if request.images is not None and not request.images.is_dir():
        raise SourceError(f"--images {str(request.images)!r} is not a folder")
    source_format = request.format or _guess_format(request.sources)
    if source_format not in FORMATS:
        raise SourceError(f"format {source_format!r} is not one of {', '.join(FORMATS)}")
    for path in request.sources:
        if path.is_dir() == (source_format == "csv"):
            kind = "a file" if source_format == "csv" else "a folder"
            raise SourceError(f"{str(path)!r} is not {kind}, which format {source_format!r} needs")
    if source_format == "aihub":
        catalogue_regions(request.regions)
    elif request.regions == "all" or "," in request.regions or not request.regions.isidentifier():
        raise SourceError(f"region {request.regions!r} is not one plain name, which format {source_format!r} needs")
    if request.images is not None and source_format != "aihub":
        raise SourceError(f"--images goes with format 'aihub', not {source_format!r}")
    if request.subject_column is not None and source_format != "csv":
        raise SourceError(f"--subject-column goes with format 'csv', not {source_format!r}")
    if request.subject_pattern is not None and source_format == "aihub":
        raise SourceError("--subject-pattern goes with formats 'folders' and 'csv'; AI-Hub labels name their subject")
    SubjectRule.parse(request.subject_pattern)
    return source_format


def _guess_format(sources: Sequence[Path]) -> str:
    if all(path.is_file() for path in sources):
        return "csv"
    names = (path for root in sources for path in files_under(root))
    has_labels = any(path.suffix.lower() == ".json" and PHOTO_NAME.fullmatch(path.stem) for path in names)
    return "aihub" if has_labels else "folders"


def _check_out(out: Path) -> None:
    above = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise SourceError(f"--out {str(out)!r} cannot be written to: {str(above)!r} is not a writable folder")


def _read(request: PrepareRequest, source_format: str, progress: Progress) -> Manifest:
    def on_file(count: int) -> None:
        progress("files", count, None)

    sources = list({path.resolve(): path for path in request.sources}.values())
    if source_format == "aihub":
        regions = catalogue_regions(request.regions)
        return read_aihub(sources, request.images, regions, on_file, partial(progress, "labels"))
    known = CATALOGUE.get(request.regions)
    classes = [str(grade) for grade in range(known.classes)] if known else None
    rule = SubjectRule.parse(request.subject_pattern)
    if source_format == "folders":
        return read_folders(sources, request.regions, classes, rule, on_file)
    try:
        return read_csv(sources, request.regions, classes, rule, request.subject_column, on_file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{', '.join(map(str, sources))} is not a readable CSV: {error}") from None


def _missing_classes(manifest: Manifest, region: str) -> str:
    """Why no pack can come of a region's labels alone; empty if one can."""
    classes = manifest.classes[region]
    quarantined = [entry for entry in manifest.quarantined if entry.region in ("", region)]
    seen = {row.label for row in manifest.rows if row.region == region}
    if not seen:
        return _nothing_left(region, quarantined)
    return _no_training_image(region, [name for index, name in enumerate(classes) if index not in seen], quarantined)


def _nothing_left(region: str, quarantined: Iterable[Quarantined]) -> str:
    return f"{region}: nothing is left to pack ({_reasons(quarantined) or 'no label of it was found'})"


def _no_training_image(region: str, names: list[str], quarantined: Iterable[Quarantined]) -> str:
    if not names:
        return ""
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    message = f"{region}: class {listed} has no training image; every class of the region needs at least one"
    reasons = _reasons(quarantined)
    return f"{message} (refused: {reasons})" if reasons else message


def _reasons(quarantined: Iterable[Quarantined]) -> str:
    """Each reason with its count and one example, on one line."""
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for entry in quarantined:
        counts[entry.reason] += 1
        examples.setdefault(entry.reason, entry.source)
    return ", ".join(f"{count} {reason}, such as {examples[reason]!r}" for reason, count in counts.most_common())


def _write_region(
    outcome: Prepared,
    of_region: list[tuple[Row, CutResult]],
    staging: Path,
    manifest: Manifest,
    request: PrepareRequest,
) -> None:
    region, size = outcome.region, request.size
    classes = manifest.classes[region]
    usable, refused = _judge(of_region)
    quarantined = [entry for entry in manifest.quarantined if entry.region in ("", region)] + refused
    outcome.quarantined = Counter(entry.reason for entry in quarantined)
    if not usable:
        raise SourceError(_nothing_left(region, quarantined))
    rows = [of_region[slot][0] for slot in usable]
    digests = [of_region[slot][1].digest for slot in usable]
    labels = np.array([row.label for row in rows], dtype=np.int16)
    subjects = [row.subject for row in rows]
    split = split_by_subject(labels, subjects, ratios=request.split_ratios, seed=request.split_seed)
    if shared := shared_subjects(split, subjects):
        raise SkinTuneError(f"{region}: subject {min(shared)!r} would be in two splits; no pack was written")
    counts = {
        name: {label: int(((split == part) & (labels == index)).sum()) for index, label in enumerate(classes)}
        for part, name in enumerate(SPLITS)
    }
    if untrained := [name for name, count in counts["train"].items() if not count]:
        raise SourceError(_no_training_image(region, untrained, quarantined))
    outcome.warnings += _warnings(counts, split, digests, request.split_ratios)
    outcome.info = PackInfo(
        region=region,
        classes=classes,
        size=size,
        split_seed=request.split_seed,
        split_ratios=list(request.split_ratios),
        counts=counts,
        pack_id=content_id(region, classes, size, digests, labels, split, subjects),
    )
    images = _compacted(staging, usable, len(of_region), size)
    columns = PackRows(
        label=labels,
        split=split,
        subject=subjects,
        source=[row.source for row in rows],
        device=[row.device for row in rows],
        angle=[row.angle for row in rows],
    )
    with atomic_write(quarantine_path(outcome.path)) as quarantine:
        _write_quarantine(quarantine, quarantined)
        write_pack(outcome.path, images, columns, outcome.info)


def _judge(of_region: list[tuple[Row, CutResult]]) -> tuple[list[int], list[Quarantined]]:
    """Slots whose crop can be used, and what is wrong with the others."""
    labels_of: dict[bytes, set[int]] = {}
    for row, cut in of_region:
        if cut.digest:
            labels_of.setdefault(cut.digest, set()).add(row.label)
    usable, refused = [], []
    for slot, (row, cut) in enumerate(of_region):
        if not cut.digest:
            refused.append(Quarantined(row.region, row.source, cut.reason, cut.detail))
        elif len(labels_of[cut.digest]) > 1:
            refused.append(Quarantined(row.region, row.source, "same image with different grades"))
        else:
            usable.append(slot)
    return usable, refused


def _warnings(
    counts: dict[str, dict[str, int]],
    split: npt.NDArray[np.int8],
    digests: Sequence[bytes],
    ratios: tuple[int, int, int],
) -> list[str]:
    found = []
    for name, ratio in zip(SPLITS[1:], ratios[1:], strict=True):
        empty = [label for label, count in counts[name].items() if not count]
        if ratio and empty:
            found.append(f"class {', '.join(empty)} has no {name} image: its {name} recall is undefined")
    splits_of: dict[bytes, set[int]] = {}
    for digest, part in zip(digests, split.tolist(), strict=True):
        splits_of.setdefault(digest, set()).add(part)
    repeated = sum(len(parts) > 1 for parts in splits_of.values())
    if repeated:
        found.append(f"{repeated} images are in more than one split under different subjects")
    return found


def _compacted(staging: Path, usable: list[int], slots: int, size: int) -> npt.NDArray[np.uint8]:
    """The usable crops [N, size, size, 3], moved to the front of the staging file where some are not."""
    images: npt.NDArray[np.uint8] = np.memmap(staging, dtype=np.uint8, mode="r+", shape=(slots, size, size, 3))
    for place, slot in enumerate(usable):
        if place != slot:
            images[place] = images[slot]
    return images[: len(usable)]


def _write_quarantine(path: Path, quarantined: list[Quarantined]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "reason", "detail"])
        writer.writerows((entry.source, entry.reason, entry.detail) for entry in quarantined)
