"""How long a comparison of trials takes, and whether its intervals cover what they say."""

import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.rows import Row
from skin_tune.metrics import METRICS, Tallies, scores_of, tallies_of
from skin_tune.results.statistics.bootstrap import (
    bootstrap_sums,
    intervals,
    resample_counts,
    tally_subjects,
)
from skin_tune.results.statistics.compare import compare
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter

GRADES = np.array([572, 5083, 3393, 2340, 1092, 819, 637])
"""Images of forehead wrinkles by grade, in the data set that this began with."""
_K = len(GRADES)
_REGION = "forehead_wrinkle"


def measure() -> list[Row]:
    """Seconds for 64 and 500 trials of 2,000 images; coverage in simulation, a minute."""
    rows = [
        Row(f"compare: {trials} trials x 10,000 resamples x 2,000 images", taken, "s", f"<= {bar}", taken <= bar)
        for trials, bar in ((64, 5), (500, 5))
        for taken in [_seconds(trials)]
    ]
    for subjects in (40, 120, 400):
        shares = coverage(subjects, samples=1000)
        worst = max(shares, key=lambda name: abs(shares[name] - 0.95))
        value = 100 * shares[worst]
        name = f"coverage of 95% intervals, {subjects} subjects, the metric farthest from 95 ({worst})"
        rows.append(Row(name, value, "%", "93-97", 93 <= value <= 97))
    return rows


Photos = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def draw_photos(rng: np.random.Generator, subjects: int) -> Photos:
    """Subject, label and prediction [N] of the photos of so many people.

    A person has one to six, most of them of one grade; the grader errs by person as well as by photo.
    """
    subject = np.repeat(np.arange(subjects), rng.integers(1, 7, subjects))
    grade = rng.choice(_K, subjects, p=GRADES / GRADES.sum())[subject]
    label = np.where(
        rng.random(len(subject)) < 0.2, np.clip(grade + rng.integers(-1, 2, len(subject)), 0, _K - 1), grade
    )
    error = rng.normal(0, 0.7, subjects)[subject] + rng.normal(0, 0.9, len(subject))
    return subject, label, np.clip(np.rint(2 + 0.8 * (label - 2) + error), 0, _K - 1).astype(np.int64)


def true_scores() -> dict[str, float]:
    """Each of METRICS on a million people."""
    _, label, predicted = draw_photos(np.random.default_rng(1), 1_000_000)
    scores = scores_of(tallies_of(_confusion(label, predicted)))
    return {name: float(value) for name, value in scores.items()}


def coverage(subjects: int, *, samples: int, resamples: int = 1000, seed: int = 0) -> dict[str, float]:
    """The share of samples of so many subjects, with every grade, whose 95% interval holds the truth, by metric."""
    rng, draws = np.random.default_rng(seed), resample_counts(subjects, resamples)
    truth, held = true_scores(), dict.fromkeys(METRICS, 0)
    done = 0
    while done < samples:
        subject, label, predicted = draw_photos(rng, subjects)
        if len(np.unique(label)) < _K:
            continue
        one = tally_subjects(subject, label, predicted, subjects, _K)
        tallies = Tallies(one.true[:, None], one.predicted[:, None], one.hits[:, None], one.distance_sums[:, None])
        point, drawn, fewer = map(scores_of, bootstrap_sums(tallies, draws))
        for name in METRICS:
            low, high = intervals(point[name][0], drawn[name], fewer[name])
            held[name] += bool(low[0] <= truth[name] <= high[0])
        done += 1
    return {name: count / samples for name, count in held.items()}


def write_trials(storage: Path, trials: int, images: int, subjects: int, experiment: str = "e") -> None:
    """A store of trials that grade the same photos, each a little worse than the one before."""
    rng = np.random.default_rng(0)
    subject = np.sort(rng.integers(0, subjects, images))
    label = rng.choice(_K, images, p=GRADES / GRADES.sum())
    writer = ExperimentWriter(storage, _REGION, experiment)
    for number in range(trials):
        trial = f"{experiment}-{number:03d}"
        predicted = np.clip(np.rint(label + rng.normal(0, 1 + number / trials, images)), 0, _K - 1).astype(np.int64)
        write_predictions(
            storage,
            _REGION,
            experiment,
            trial,
            "val",
            sources=[f"{image}.jpg" for image in range(images)],
            subjects=[f"s{person:04d}" for person in subject],
            labels=label,
            probabilities=np.eye(_K, dtype=np.float32)[predicted],
        )
        score = float(scores_of(tallies_of(_confusion(label, predicted)))["balanced_acc"])
        writer.update_trial(trial, status="completed", pack_id="p", val_balanced_acc=score, started_at=now())
    writer.flush()
    writer.close()


def _confusion(label: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.bincount(label * _K + predicted, minlength=_K**2).reshape(_K, _K).astype(np.float64)


def _seconds(trials: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        write_trials(Path(folder), trials, images=2000, subjects=400)
        started = time.monotonic()
        compare(folder, _REGION)
        return time.monotonic() - started
