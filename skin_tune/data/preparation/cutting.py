"""Many photos to crops in files: every photo decoded once, all cores at work, every crop written once."""

import multiprocessing
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skin_tune.data.preparation.crops import Crop, Cut, CutResult, cut_photo
from skin_tune.data.preparation.places import CropFile, Place, files_in_photo_order, places_of
from skin_tune.data.preparation.turns import Turns
from skin_tune.data.sources.files import MAX_MEGAPIXELS
from skin_tune.data.sources.manifest import Row
from skin_tune.errors import SourceError
from skin_tune.processes import interruption
from skin_tune.processes.without_main import without_main

_PHOTOS = 8
"""Photos a process takes at a time."""
_HELD_BYTES = 32_000_000
"""How much of crops a process holds, until it knows where they go."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Some photos, the cuts of each, and a place for every cut."""

    number: int
    photos: list[tuple[Path, list[Cut]]]
    places: dict[int, Place]
    """By row."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What is common to all parts."""

    files: Sequence[CropFile]
    size: int
    max_megapixels: int
    turns: Turns


def cut_all(
    rows: Sequence[Row],
    files: Mapping[str, CropFile],
    size: int,
    on_photo: Callable[[int, int], None],
    max_megapixels: int = MAX_MEGAPIXELS,
) -> list[CutResult]:
    """Cut the crop of every row into its region's file; results are in the order of `rows`.

    A file holds raw uint8, the n-th of its places at offset ``start + n * size * size * 3``. Crops are in the order of
    the rows, and without gaps where a file is `gapless` and its rows are in the order of the photos. In a file of
    several regions a crop that they share is there once. A file is as long as it were with all crops.
    """
    cuts_of: dict[Path, list[Cut]] = {}
    for index, row in enumerate(rows):
        cuts_of.setdefault(row.photo, []).append(Cut(index, row.box, row.mirrored, row.relative_box))
    places = places_of(rows, files)
    in_order = files_in_photo_order(rows, places, list(cuts_of))
    counts = Counter(place.file for place in set(places))
    given = []
    for number, file in enumerate(dict.fromkeys(files.values())):
        with file.path.open("wb") as new:
            new.truncate(file.start + counts[number] * size * size * 3)
        given.append(replace(file, gapless=file.gapless and number in in_order))
    results: dict[int, CutResult] = {}
    done = 0
    with closing(_cut_parts(_parts(cuts_of, places, size), given, size, max_megapixels)) as parts:
        for part in parts:  # closed, it stops the processes, whatever happens
            for photo in part:
                results |= {cut.row: cut for cut in photo}
                done += 1
                on_photo(done, len(cuts_of))
    return [results[index] for index in range(len(rows))]


def _parts(cuts_of: Mapping[Path, list[Cut]], places: Sequence[Place], size: int) -> list[_Part]:
    photos = list(cuts_of.items())
    most = max((len(cuts) for cuts in cuts_of.values()), default=1) * size * size * 3
    step = min(max(_HELD_BYTES // most, 1), _PHOTOS)
    parts: list[_Part] = []
    for start in range(0, len(photos), step):
        own = photos[start : start + step]
        own_places = {cut.row: places[cut.row] for _, cuts in own for cut in cuts}
        parts.append(_Part(len(parts), own, own_places))
    return parts


def _cut_parts(
    parts: Sequence[_Part], files: Sequence[CropFile], size: int, max_megapixels: int
) -> Generator[list[list[CutResult]]]:
    cpus = available_cpus()
    # More than CPUs from four of them on: some wait for their turn to write.
    workers = min(cpus + cpus // 4, sum(len(part.photos) for part in parts) // 32)
    if workers < 2:  # starting a process takes as long as a few dozen photos
        work = _Work(files, size, max_megapixels, Turns.in_this_process(len(files)))
        for part in parts:
            yield _cut_part(part, work)
        return
    context = multiprocessing.get_context("spawn")
    work = _Work(files, size, max_megapixels, Turns.among_processes(len(files), context))
    try:
        with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(work,)) as pool:
            # Ctrl-C reaches the workers too. They start with it blocked, so that only this process stops and cleans up.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                with interruption.held(), without_main():
                    results = pool.map(_cut_one_part, parts)
            except interruption.Interrupted:
                pool.shutdown(cancel_futures=True)  # nobody has begun to read what would cancel them
                raise
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            yield from results
    except BrokenProcessPool:
        raise SourceError(
            "a process that cuts photos was killed, perhaps for want of memory; nothing was written"
        ) from None


def available_cpus() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_work: list[_Work] = []
"""In a process of the pool: what it was begun with."""


def _begin(work: _Work) -> None:
    _work.append(work)


def _cut_one_part(part: _Part) -> list[list[CutResult]]:
    return _cut_part(part, _work[0])


def _cut_part(part: _Part, work: _Work) -> list[list[CutResult]]:
    """Cut the photos of a part, and then write the crops where its turn tells."""
    photos: list[list[Crop]] = []
    refused = [0] * len(work.files)
    try:
        for path, cuts in part.photos:
            photos.append(cut_photo(path, cuts, work.size, work.max_megapixels))
        for place, (result, _) in _by_place(part, photos):
            refused[place.file] += work.files[place.file].gapless and not result.digest
    finally:  # whatever happens: other parts wait for this turn
        before = work.turns.take(part.number, refused)
    final, to_write = _final_places(part, photos, before, work)
    for file, crops in to_write.items():
        _write(work.files[file], crops)
    return [
        [replace(result, place=final[part.places[result.row]]) if result.digest else result for result, _ in crops]
        for crops in photos
    ]


def _by_place(part: _Part, photos: Sequence[Sequence[Crop]]) -> list[tuple[Place, Crop]]:
    """A part's crops with their places, in the order of these; of rows that share a place one."""
    crops = {part.places[crop[0].row]: crop for crops in photos for crop in crops}
    return sorted(crops.items(), key=lambda found: (found[0].file, found[0].number))


def _final_places(
    part: _Part, photos: Sequence[Sequence[Crop]], before: Sequence[int], work: _Work
) -> tuple[dict[Place, int], dict[int, list[tuple[int, bytes]]]]:
    """Where each crop goes in its file, and for each file its (place, pixels). `before`: refused before this part."""
    refused = list(before)
    final: dict[Place, int] = {}
    to_write: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for place, (result, pixels) in _by_place(part, photos):
        if result.digest:
            final[place] = place.number - refused[place.file]
            to_write[place.file].append((final[place], pixels))
        else:
            refused[place.file] += work.files[place.file].gapless
    return final, to_write


def _write(file: CropFile, crops: Sequence[tuple[int, bytes]]) -> None:
    with file.path.open("r+b") as opened:
        for place, pixels in crops:
            opened.seek(file.start + place * len(pixels))
            opened.write(pixels)


def close_gaps(file: CropFile, kept: Sequence[int], size: int) -> None:
    """Move the crops at the places `kept`, which ascend, to places 0, 1, 2 ...

    Nothing is written where the others come after them all.
    """
    if not kept:
        return
    crops: npt.NDArray[np.uint8] = np.memmap(
        file.path, dtype=np.uint8, mode="r+", offset=file.start, shape=(kept[-1] + 1, size, size, 3)
    )
    for place, old in enumerate(kept):
        if place != old:
            crops[place] = crops[old]
