"""From a region's crops to the rows of its pack: what can be used, and how it is split."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from skin_tune.data.pack.layout.field_rules import wrong_classes
from skin_tune.data.pack.layout.info import PackInfo, content_id
from skin_tune.data.pack.subject_split import SPLITS, TRAIN_ANEW, given_split, shared_subjects, split_by_subject
from skin_tune.data.pack.uses import check_replaceable
from skin_tune.data.preparation.crops import CutResult
from skin_tune.data.preparation.packable import no_training_image, nothing_left, too_much_lost
from skin_tune.data.sources.manifest import Manifest, Quarantined, Row
from skin_tune.data.sources.people import joined_people, shared_pictures
from skin_tune.data.sources.request import DEFAULT_RATIOS, PrepareRequest
from skin_tune.errors import SkinTuneError, SourceError
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import joined_path


@dataclass
class Prepared:
    """The outcome for one region: a pack, or the reason why there is none."""

    region: str
    path: Location
    info: PackInfo | None = None
    """Classes, counts and split of the pack; None where there is none."""
    quarantined: Counter[str] = field(default_factory=Counter)
    """Rows that could not be used, by reason."""
    not_visible: int = 0
    """Labels of a part that the photo does not show."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Number of files that are no labelled photo, by kind; the same for all regions of a source."""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What to know of the pack's splits and people before trusting scores."""
    error: str = ""
    """Why there is no pack; empty where there is one."""


@dataclass(frozen=True)
class Usable:
    """The rows that can be used, and their crops."""

    rows: list[Row]
    cuts: list[CutResult]

    @property
    def labels(self) -> npt.NDArray[np.int16]:
        return np.array([row.label for row in self.rows], dtype=np.int16)

    @property
    def subjects(self) -> list[str]:
        return [row.subject for row in self.rows]

    def only(self, keep: npt.NDArray[np.bool_]) -> "Usable":
        """The rows of which `keep` [N] is true."""
        kept = np.flatnonzero(keep).tolist()
        return Usable([self.rows[place] for place in kept], [self.cuts[place] for place in kept])


@dataclass(frozen=True)
class Chosen:
    """The rows of a region's pack, and those left out."""

    outcome: Prepared
    """Of the region; it has the pack's `info`."""
    usable: Usable
    split: npt.NDArray[np.int8]
    """Index into SPLITS [N]."""
    quarantined: list[Quarantined]
    joined: list[tuple[str, str, str]]
    """(person, subject, source) of pictures that several subjects have."""


def choose_rows(
    outcome: Prepared, of_region: list[tuple[Row, CutResult]], manifest: Manifest, request: PrepareRequest
) -> Chosen:
    """The rows of the pack of `outcome.region`, of which `of_region` are all, and their crops.

    Fills in `outcome`. Raises SourceError where no pack can come of them, or it may not replace the one that is there.
    """
    if problem := wrong_classes(manifest.classes[outcome.region]):
        raise SourceError(f"{outcome.region}: {problem}")
    chosen = _choose(outcome, of_region, manifest, request)
    outcome.quarantined = Counter(entry.reason for entry in chosen.quarantined)
    outcome.info = info = _info(outcome, chosen, manifest, request)
    outcome.warnings += _noted(of_region) + _warnings(info, chosen.joined, outcome.path)
    check_replaceable(outcome.path, info.region, info.pack_id, replace=request.replace)
    return chosen


def _choose(
    outcome: Prepared, of_region: list[tuple[Row, CutResult]], manifest: Manifest, request: PrepareRequest
) -> Chosen:
    region = outcome.region
    usable, refused = _judge(of_region)
    quarantined = [entry for entry in manifest.quarantined if entry.region in ("", region)] + refused
    if not usable.rows:
        raise SourceError(nothing_left(region, quarantined))
    usable, joined = _joined(usable)
    split = _split(usable, request, outcome)
    homeless = np.flatnonzero(split < 0).tolist()
    quarantined += [Quarantined(region, usable.rows[place].source, "no split given") for place in homeless]
    usable, split = usable.only(split >= 0), split[split >= 0]
    if lost := too_much_lost(region, quarantined, len(usable.rows), request):
        raise SourceError(lost)
    if shared := shared_subjects(split, usable.subjects):
        raise SkinTuneError(f"{region}: subject {min(shared)!r} would be in two splits; no pack was written")
    return Chosen(outcome, usable, split, quarantined, joined)


def _split(usable: Usable, request: PrepareRequest, outcome: Prepared) -> npt.NDArray[np.int8]:
    """Index into SPLITS of each row, -1 where the source's own split leaves it out."""
    given, ratios, seed = [row.split for row in usable.rows], request.split_ratios, request.split_seed
    if any(given) and ratios is None:
        return given_split(given, usable.labels, usable.subjects, seed=seed)
    if any(given):
        outcome.notes.append("the source's own split is not used, since --split is given")
    return split_by_subject(usable.labels, usable.subjects, ratios=ratios or DEFAULT_RATIOS, seed=seed)


def _info(outcome: Prepared, chosen: Chosen, manifest: Manifest, request: PrepareRequest) -> PackInfo:
    """The pack's metadata. Raises SourceError where a class has no training image."""
    region, classes, ordinal = outcome.region, manifest.classes[outcome.region], not request.nominal
    usable, labels, split = chosen.usable, chosen.usable.labels, chosen.split
    counts = {
        name: {label: int(((split == part) & (labels == index)).sum()) for index, label in enumerate(classes)}
        for part, name in enumerate(SPLITS)
    }
    if untrained := [name for name, count in counts["train"].items() if not count]:
        raise SourceError(no_training_image(region, classes, untrained, chosen.quarantined))
    digests = [cut.digest for cut in usable.cuts]
    given = {row.split for row in usable.rows} - {""} if request.split_ratios is None else set()
    return PackInfo(
        region=region,
        classes=classes,
        size=request.size,
        split_seed=request.split_seed,
        split_ratios=_ratios(given, request),
        counts=counts,
        pack_id=content_id(region, classes, request.size, digests, labels, split, usable.subjects, ordinal),
        ordinal=ordinal,
        split_given=bool(given),
    )


def _ratios(given: set[str], request: PrepareRequest) -> list[int]:
    """Percentages by which people were split; none where the source gives all splits."""
    if not given:
        return list(request.split_ratios or DEFAULT_RATIOS)
    return [] if "val" in given else list(TRAIN_ANEW)


def _judge(of_region: list[tuple[Row, CutResult]]) -> tuple[Usable, list[Quarantined]]:
    """The rows whose crop can be used, and what is wrong with the others."""
    labels_of: dict[bytes, set[int]] = {}
    for row, cut in of_region:
        if cut.digest:
            labels_of.setdefault(cut.digest, set()).add(row.label)
    usable, refused = Usable([], []), []
    for row, cut in of_region:
        if not cut.digest:
            refused.append(Quarantined(row.region, row.source, cut.reason, cut.detail))
        elif len(labels_of[cut.digest]) > 1:
            refused.append(Quarantined(row.region, row.source, "same image with different grades"))
        else:
            usable.rows.append(row)
            usable.cuts.append(cut)
    return usable, refused


def _joined(usable: Usable) -> tuple[Usable, list[tuple[str, str, str]]]:
    """The rows with one subject for all whom the same picture shows, and (person, subject, source) of these pictures.

    A picture of one colour alone shows nobody, and joins nobody.
    """
    pictures = [None if cut.uniform else cut.digest for cut in usable.cuts]
    shared = shared_pictures(pictures, usable.subjects)
    unnamed = {row.subject for row in usable.rows if row.subject == row.source}
    person = joined_people(shared.values(), unnamed)
    joined = [
        (person[row.subject], row.subject, row.source)
        for row, picture in zip(usable.rows, pictures, strict=True)
        if picture in shared
    ]
    rows = (
        [replace(row, subject=person.get(row.subject, row.subject)) for row in usable.rows] if person else usable.rows
    )
    return replace(usable, rows=rows), sorted(joined)


def _noted(of_region: list[tuple[Row, CutResult]]) -> list[str]:
    """Each note on photos, with their number."""
    noted = Counter(note for _, note in {(row.photo, cut.note) for row, cut in of_region} if note)
    return [f"{count} photos: {note}" for note, count in noted.items()]


def _warnings(info: PackInfo, joined: Sequence[tuple[str, str, str]], pack: Location) -> list[str]:
    """Warnings about a pack's splits and subjects."""
    found = []
    for place, (name, counts) in enumerate(info.counts.items()):
        meant = any(counts.values()) if info.split_given else info.split_ratios[place] > 0
        empty = [label for label, count in counts.items() if not count]
        if meant and empty:
            found.append(f"class {', '.join(empty)} has no {name} image: its {name} recall is undefined")
    if joined:
        subjects, people = (len({row[column] for row in joined}) for column in (1, 0))
        found.append(f"{subjects} subjects share pictures and were joined into {people}: see {joined_path(pack).name}")
    return found
