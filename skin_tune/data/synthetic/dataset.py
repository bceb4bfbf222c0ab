"""Draws a small AI-Hub tree of artificial faces, so that everything can be tried without a single real photo."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skin_tune.data.synthetic.face import Camera, draw_face, draw_photo
from skin_tune.errors import SourceError
from skin_tune.processes import interruption
from skin_tune.processes.without_main import without_main
from skin_tune.regions import CATALOGUE, Region
from skin_tune.storage.scratch import ScratchFolder, remove_abandoned

# How often each grade 0, 1, ... occurs. Forehead wrinkles: photos in the AI-Hub release; the others: its subjects.
GRADE_WEIGHTS: dict[str, tuple[int, ...]] = {
    "forehead_wrinkle": (572, 5083, 3393, 2340, 1092, 819, 637),
    "forehead_pigmentation": (223, 541, 205, 87, 8, 3),
    "glabellus_wrinkle": (223, 461, 131, 114, 37, 68, 32),
    "perocular_wrinkle": (71, 335, 148, 143, 97, 104, 100),
    "cheek_pigmentation": (32, 298, 279, 284, 114, 48),
    "cheek_pore": (28, 186, 641, 131, 56, 13),
    "lip_dryness": (24, 174, 647, 199, 22),
    "chin_sagging": (494, 215, 139, 127, 56, 34, 2),
}
SUBJECTS_PER_GRADE = 3  # one for each of training, validation and test
MIN_SUBJECTS = SUBJECTS_PER_GRADE * max(len(weights) for weights in GRADE_WEIGHTS.values())
UNEVEN_SHARE = 0.1  # subjects whose right side differs from the left by a grade

ANGLES = {"F": 0, "Fb": 1, "Ft": 2, "L15": 3, "L30": 4, "R15": 5, "R30": 6, "L": 7, "R": 8}
CAMERAS = {
    "01": Camera(384, 512, (1.00, 1.00, 1.00), blur=0.5, noise=3.0),
    "02": Camera(360, 480, (1.06, 1.00, 0.92), blur=0.7, noise=4.0),
    "03": Camera(336, 448, (0.95, 1.00, 1.05), blur=0.8, noise=5.0),
}
# (device, angle, degrees turned) of a subject's photos. "?" is L for one subject and R for the next.
VIEWS = (("01", "F", 0), ("01", "L30", 30), ("01", "R30", 30), ("02", "F", 0), ("02", "?", 35), ("03", "F", 0))
FAR_SIDE = {"L": (3, 5), "R": (4, 6)}  # eye and cheek that a view to this side hides


@dataclass(frozen=True)
class Subject:
    """One person to draw: number from 1, and one grade per annotation key."""

    number: int
    grades: dict[str, int]


def draw_sample(
    out: Path, *, subjects: int = 60, seed: int = 0, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Draw ``subjects`` artificial people into the new folder ``out``, in the layout of AI-Hub data set 71645.

    Photos go to ``out/img``, labels to ``out/label``. The same seed gives the same bytes. Each grade of each region has
    at least three subjects, and a subject has the same grades on all photos. ``progress`` is called with photos done
    and photos in all. Work is spread over processes that are spawned, so a script needs its ``__main__`` guard.

    Returns the number of photos. Raises SourceError, leaving nothing behind, if ``subjects`` or ``seed`` is out of
    range or ``out`` is not empty or cannot be written.
    """
    if subjects < MIN_SUBJECTS:
        rule = f"each of {MIN_SUBJECTS // SUBJECTS_PER_GRADE} grades needs {SUBJECTS_PER_GRADE} subjects"
        raise SourceError(f"subjects={subjects} is fewer than {MIN_SUBJECTS}: {rule}")
    if seed < 0:
        raise SourceError(f"seed={seed} is negative; a seed is 0 or more")
    out = out.resolve()
    try:
        if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
            raise SourceError(f"{out} already exists and is not empty; give a new folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(out.parent, f".{out.name}-")
        with ScratchFolder(beside=out.parent, prefix=f".{out.name}-") as temporary:
            tree = temporary / "tree"
            tree.mkdir()
            photos = _draw_subjects(tree, plan_subjects(subjects, seed), seed, progress)
            tree.rename(out)
    except OSError as error:
        raise SourceError(f"{out} cannot be written: {error.strerror or error}") from error
    return photos


def plan_subjects(count: int, seed: int) -> list[Subject]:
    """The grades of ``count`` subjects, drawn for each region on its own so that regions are nearly independent."""
    rng = np.random.default_rng([seed, 0])  # subjects count from 1
    grades: list[dict[str, int]] = [{} for _ in range(count)]
    for region in CATALOGUE.values():
        counts = allocate(count, GRADE_WEIGHTS[region.name])
        drawn = rng.permutation(np.repeat(np.arange(region.classes), counts)).tolist()
        for view, side in zip(region.views, _sides(rng, drawn, counts, region), strict=False):
            for subject, grade in zip(grades, side, strict=True):
                subject[view.key] = grade
    return [Subject(number, own) for number, own in enumerate(grades, start=1)]


def allocate(count: int, weights: Sequence[int], floor: int = SUBJECTS_PER_GRADE) -> list[int]:
    """``count`` subjects shared out by weight, none below ``floor``: largest remainders among those above it.

    Needs ``count >= floor * len(weights)``. https://en.wikipedia.org/wiki/Quota_method
    """
    share = np.asarray(weights, dtype=float)
    held = np.zeros(len(share), dtype=bool)  # grades held at the floor
    while True:
        quota = np.where(held, floor, share * (count - floor * held.sum()) / max(share[~held].sum(), 1))
        if not (quota < floor).any():
            break
        held |= quota < floor
    counts = np.floor(quota).astype(int)
    counts[np.argsort(counts - quota, kind="stable")[: count - counts.sum()]] += 1
    return [int(n) for n in counts]


def _sides(rng: np.random.Generator, left: list[int], counts: list[int], region: Region) -> tuple[list[int], list[int]]:
    """The left grades and right ones, of which a few differ by one. No grade loses the last subjects it needs."""
    spare = [n - SUBJECTS_PER_GRADE for n in counts]
    right = list(left)
    for i in np.flatnonzero(rng.random(len(left)) < UNEVEN_SHARE):
        other = right[i] + int(rng.choice((-1, 1)))
        if 0 <= other < region.classes and spare[left[i]] > 0:
            spare[left[i]] -= 1
            right[i] = other
    return left, right


def _draw_subjects(tree: Path, subjects: list[Subject], seed: int, progress: Callable[[int, int], None]) -> int:
    total = len(subjects) * len(VIEWS)
    done = 0
    progress(done, total)
    pool = ProcessPoolExecutor(
        min(os.cpu_count() or 1, len(subjects)), multiprocessing.get_context("spawn"), initializer=_leave_interrupts
    )
    try:
        with interruption.held(), without_main():
            drawn = [pool.submit(_draw_subject, tree, subject, seed) for subject in subjects]
        for future in as_completed(drawn):
            done += future.result()
            progress(done, total)
    finally:
        pool.shutdown(cancel_futures=True)
    return done


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process; only the first should answer, by cleaning up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _draw_subject(tree: Path, subject: Subject, seed: int) -> int:
    """Draw one subject's photos and labels. Gives the number of photos."""
    rng = np.random.default_rng([seed, subject.number])
    name = f"{subject.number:04d}"
    person = _draw_person(rng, name)
    readings = _draw_readings(rng)
    face = draw_face(rng, subject.grades)
    for device, angle, degrees in VIEWS:
        if angle == "?":
            angle = "LR"[subject.number % 2]
        camera = CAMERAS[device]
        photo, boxes = draw_photo(rng, face, camera, -degrees if angle[0] == "L" else degrees)
        stem = f"{name}_{device}_{angle}"
        image_dir, label_dir = (tree / kind / device / name for kind in ("img", "label"))
        image_dir.mkdir(parents=True, exist_ok=True)
        label_dir.mkdir(parents=True, exist_ok=True)
        photo.save(image_dir / f"{stem}.jpg", quality=90)
        hidden = FAR_SIDE.get(angle[0], ())
        for part, box in boxes.items():
            if part in hidden and part in (3, 4) and device != "01":
                continue  # some far eyes have no label file at all
            label = {
                "info": {"filename": f"{stem}.jpg", **person},
                "images": {
                    "device": int(device) - 1,
                    "width": camera.width,
                    "height": camera.height,
                    "angle": ANGLES[angle],
                    "facepart": part,
                    "bbox": None if part in hidden else list(box),
                },
                "annotations": _annotations(part, subject.grades),
                "equipment": readings[part],
            }
            (label_dir / f"{stem}_{part:02d}.json").write_text(json.dumps(label, indent=2) + "\n", encoding="utf-8")
    return len(VIEWS)


def _annotations(part: int, grades: dict[str, int]) -> dict[str, int]:
    keys = [view.key for region in CATALOGUE.values() for view in region.views if view.facepart == part]
    return {key: grades[key] for key in sorted(keys)}


def _draw_person(rng: np.random.Generator, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "gender": str(rng.choice(("F", "M"))),
        "age": int(rng.integers(13, 80)),
        "date": f"2023-{rng.integers(5, 11):02d}-{rng.integers(1, 29):02d}",
        "skin_type": int(rng.integers(0, 5)),
        "sensitive": int(rng.integers(0, 2)),
    }


def _draw_readings(rng: np.random.Generator) -> dict[int, dict[str, float | str] | None]:
    """Facepart -> instrument readings, unrelated to the grades. As in the real set, a few failed and read "Er"."""

    def moisture() -> float | str:
        return "Er" if rng.random() < 0.03 else round(rng.uniform(30, 80), 1)

    def skin(area: str) -> dict[str, float | str]:
        return {f"{area}_moisture": moisture(), f"{area}_elasticity_R2": round(rng.uniform(0.4, 0.9), 3)}

    readings: dict[int, dict[str, float | str] | None] = {1: skin("forehead"), 2: None, 7: None, 8: skin("chin")}
    for side, eye, cheek in (("l", 3, 5), ("r", 4, 6)):
        readings[eye] = {f"{side}_perocular_wrinkle_Ra": round(rng.uniform(8, 30), 3)}
        # A name that is also a grade's: here it is a count, and must not be taken for one.
        readings[cheek] = {**skin(f"{side}_cheek"), f"{side}_cheek_pore": float(rng.integers(200, 2000))}
    return readings
