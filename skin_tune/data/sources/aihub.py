"""The AI-Hub tree (data set 71645): a tree of label JSON files and one of photos that mirror each other."""

import filecmp
import math
import os
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skin_tune.data.sources.aihub_label import BadLabelError, Label, read_label
from skin_tune.data.sources.files import (
    IMAGE_SUFFIXES,
    Progress,
    files_under,
    leaves_roots,
    readable_first,
    storable,
    view_of,
)
from skin_tune.data.sources.manifest import LEFT_OUT, Manifest, Quarantined, Row, as_box, grade_out_of_range
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.regions import Region, View, catalogue_regions

Targets = dict[int, list[tuple[Region, View]]]


def read_aihub(
    request: PrepareRequest,
    on_file: Progress = lambda count: None,
    on_label: Callable[[int, int], None] = lambda done, total: None,
) -> Manifest:
    """One row per (photo, region, side) with a box and a grade.

    Photos are looked up by name, under the request's `images` if given, else under the root their label is in.
    """
    regions, roots = catalogue_regions(request.regions), request.distinct_sources
    manifest = Manifest(
        classes={region.name: list(request.classes or map(str, range(region.classes))) for region in regions}
    )
    targets: Targets = {}
    for region in regions:
        for view in region.views:
            targets.setdefault(view.facepart, []).append((region, view))
    elsewhere = _listing(request.images, on_file, manifest) if request.images is not None else None
    for root in roots:
        listing = _listing(root, on_file, manifest)
        reader = _LabelReader(targets, elsewhere or listing, [*roots, *([request.images] if request.images else [])])
        for done, label_file in enumerate(listing.labels, start=1):
            reader.read(label_file, str(label_file if len(roots) > 1 else label_file.relative_to(root)), manifest)
            on_label(done, len(listing.labels))
        if elsewhere is None:
            manifest.left_out["photo without a label"] += listing.unnamed()
    if elsewhere is not None:
        manifest.left_out["photo without a label"] += elsewhere.unnamed()
    _drop_repeats(manifest)
    manifest.left_out += Counter()  # drops the kinds that did not occur
    return manifest


@dataclass
class _Listing:
    """The files below a root."""

    root: Path
    labels: list[Path] = field(default_factory=list)
    photos: dict[str, list[Path]] = field(default_factory=dict)
    """By their name, with and without suffix."""
    named: set[Path] = field(default_factory=set)
    """Photos that some label is of."""

    def find(self, name: str, label_file: Path) -> list[Path]:
        """The photo of a label; of several with that name the nearest, all that are if their bytes differ."""
        found = self.photos.get(name) or readable_first(self.photos.get(Path(name).stem, ()))
        if len(found) > 1:
            shared = [len(Path(os.path.commonpath([photo, label_file])).parts) for photo in found]
            found = [photo for photo, parts in zip(found, shared, strict=True) if parts == max(shared)]
            if all(filecmp.cmp(found[0], other, shallow=False) for other in found[1:]):
                found = found[:1]
        self.named.update(found)
        return found

    def unnamed(self) -> int:
        """How many photos no label is of."""
        return len({photo for photos in self.photos.values() for photo in photos} - self.named)


def _listing(root: Path, on_file: Progress, manifest: Manifest) -> _Listing:
    listing = _Listing(root)
    for path in files_under(root, on_file, manifest.leave_out):
        if path.suffix.lower() == ".json":
            listing.labels.append(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            for name in (path.name, path.stem):
                listing.photos.setdefault(name, []).append(path)
        else:
            manifest.left_out[f"{path.suffix.lower() or 'suffixless'} file"] += 1
    return listing


@dataclass(frozen=True)
class _LabelReader:
    """Reads label files of one tree into a manifest."""

    targets: Targets
    photos: _Listing
    allowed: Sequence[Path]
    """Folders that links may lead to."""

    def read(self, label_file: Path, source: str, manifest: Manifest) -> None:
        """Add what one label file says of the regions asked for."""
        source = storable(source)
        manifest.read += 1

        def quarantine(reason: str, detail: str = "", regions: Iterable[str] = ("",)) -> None:
            manifest.quarantined.extend(Quarantined(region, source, reason, detail[:200]) for region in regions)

        if leaves_roots(label_file, self.allowed):
            return quarantine("path leaves its root")
        try:
            label = read_label(label_file)
        except BadLabelError as error:
            return quarantine(*error.args)
        if label.facepart not in self.targets:
            manifest.left_out["label of another face part"] += 1
        graded = [
            target for target in self.targets.get(label.facepart, ()) if _has_grade(label, source, *target, manifest)
        ]
        names = [region.name for region, _ in graded]
        if not label.subject:
            return quarantine("no subject", "neither info.id nor the file name tells it", names)
        if re.search(r"[/\\\0]", label.photo) or label.photo == "..":
            return quarantine("path leaves its root", f"info.filename is {label.photo!r}", names)
        found = self.photos.find(label.photo, label_file)
        if not found:
            return quarantine("missing photo", f"looked for {label.photo} below {self.photos.root}", names)
        if len(found) > 1:
            return quarantine("more than one photo", ", ".join(map(str, found)), names)
        photo = found[0]
        if leaves_roots(photo, self.allowed):
            detail = f"{photo.relative_to(self.photos.root)} is a link; --images DIR allows those into DIR"
            return quarantine("path leaves its root", detail, names)
        edges = as_box(label.box)
        if edges is None:
            return quarantine("box is not four numbers", reprlib.repr(label.box), names)
        for region, view in graded:
            manifest.rows.append(
                Row(
                    region=region.name,
                    photo=photo,
                    source=f"{source}#{view.key}",
                    label=manifest.classes[region.name].index(str(int(label.grades[view.key]))),
                    subject=label.subject,
                    box=edges,
                    mirrored=view.mirrored,
                    about={**view_of(photo), **label.person},
                )
            )
        return None


def _has_grade(label: Label, source: str, region: Region, view: View, manifest: Manifest) -> bool:
    """Whether a label has a box and one of the region's classes; where it has another grade, that is quarantined."""
    grade, classes = label.grades.get(view.key), manifest.classes[region.name]
    if label.box is None or grade is None:
        manifest.not_visible[region.name] += 1
        return False
    if isinstance(grade, float) and math.isnan(grade):
        manifest.quarantined.append(Quarantined(region.name, source, "missing grade"))
        return False
    if not isinstance(grade, int | float) or isinstance(grade, bool) or grade not in range(region.classes):
        manifest.quarantined.append(grade_out_of_range(region.name, source, grade, classes))
        return False
    if str(int(grade)) not in classes:
        manifest.quarantined.append(
            Quarantined(region.name, source, LEFT_OUT, f"{grade} is not one of {', '.join(classes)}")
        )
        return False
    return True


def _drop_repeats(manifest: Manifest) -> None:
    """Keep one of the labels that say the same of one (photo, region, side); quarantine those that disagree."""
    key_of = [(row.photo, row.source.rpartition("#")[2]) for row in manifest.rows]
    grades: dict[tuple[Path, str], set[int]] = {}
    for key, row in zip(key_of, manifest.rows, strict=True):
        grades.setdefault(key, set()).add(row.label)
    kept: dict[tuple[Path, str], Row] = {}
    for key, row in zip(key_of, manifest.rows, strict=True):
        classes = manifest.classes[row.region]
        if len(grades[key]) > 1:
            detail = ", ".join(classes[grade] for grade in sorted(grades[key]))
            manifest.quarantined.append(Quarantined(row.region, row.source, "same image with different grades", detail))
        elif key in kept:
            manifest.left_out["label that repeats another"] += 1
        else:
            kept[key] = row
    manifest.rows = list(kept.values())
