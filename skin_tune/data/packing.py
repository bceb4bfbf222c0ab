"""From a region's crops to its pack: what can be used, how it is split, what is written."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skin_tune.data.crops import CutResult
from skin_tune.data.manifest import Manifest, Quarantined, Row
from skin_tune.data.pack import ABOUT, PackInfo, PackRows, content_id, write_pack
from skin_tune.data.request import PrepareRequest
from skin_tune.data.split import SPLITS, shared_subjects, split_by_subject
from skin_tune.errors import SkinTuneError, SourceError
from skin_tune.paths import atomic_write, quarantine_path


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


def missing_classes(manifest: Manifest, region: str) -> str:
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


def write_region(
    outcome: Prepared,
    of_region: list[tuple[Row, CutResult]],
    staging: Path,
    manifest: Manifest,
    request: PrepareRequest,
) -> None:
    """Write the pack of `outcome.region`, and the table of what could not be used beside it; fill in `outcome`.

    `of_region` are its rows in the order of their crops, uint8 [size, size, 3], in the file `staging`, which is
    compacted. Raises SourceError where no pack can come of them.
    """
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
    outcome.warnings += _noted(of_region)
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
        about={name: [row.about.get(name) for row in rows] for name in ABOUT},
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


def _noted(of_region: list[tuple[Row, CutResult]]) -> list[str]:
    """Each note on photos, with their number."""
    noted = Counter(note for _, note in {(row.photo, cut.note) for row, cut in of_region} if note)
    return [f"{count} photos: {note}" for note, count in noted.items()]


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
