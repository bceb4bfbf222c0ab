"""Grades for photos that nobody has graded."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from skin_tune.data.loading.prefetch import prefetched
from skin_tune.data.pack.images import Images
from skin_tune.data.preparation.inference_crops import Wanted, cut_crops
from skin_tune.inference.model_file import TrainedModel
from skin_tune.text.grades import grade_values
from skin_tune.training.device import best_device

_PHOTOS_AT_A_TIME = 2048
"""Their crops are on disk together: 400 MB of 256 px."""


@dataclass(frozen=True)
class Prediction:
    """A model's prediction for one crop, or the `reason` why there is none."""

    photo: Path
    part: str
    """`left` or `right` where the region has two sides."""
    whole: bool
    """Whether the image was taken for a crop as it is."""
    probabilities: list[float] | None
    """[K], in the order of the model's classes."""
    reason: str = ""


def predict(
    model: TrainedModel, wanted: Sequence[Wanted], progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Prediction]:
    """Grade crops, in their order, on this machine's GPU if it has one. `progress`: photos done, and in all.

    Crops are cut at the size of those the model was trained on, then resized as in validation: a photo gets the grade
    that `evaluate` gives its row of a pack.
    """
    of_photo: dict[Path, list[int]] = {}
    for place, crop in enumerate(wanted):
        if not crop.reason:
            of_photo.setdefault(crop.photo, []).append(place)
    photos = list(of_photo)
    probabilities: dict[int, list[float]] = {}
    reasons = {place: crop.reason for place, crop in enumerate(wanted) if crop.reason}
    for start in range(0, len(photos), _PHOTOS_AT_A_TIME):
        places = [place for photo in photos[start : start + _PHOTOS_AT_A_TIME] for place in of_photo[photo]]

        def on_photo(done: int, total: int, before: int = start) -> None:
            progress(before + done, len(photos))

        with cut_crops([wanted[place] for place in places], model.crop_size, on_photo) as (pixels, failures):
            cut = np.flatnonzero([not reason for reason in failures])
            reasons |= {place: reason for place, reason in zip(places, failures, strict=True) if reason}
            for slot, row in zip(cut, _probabilities(model, pixels, cut).tolist(), strict=True):
                if math.isfinite(sum(row)):
                    probabilities[places[slot]] = row
                else:
                    reasons[places[slot]] = "the model gives no finite probability"
    return [
        Prediction(
            crop.photo,
            crop.part,
            whole=crop.box is None and not crop.reason,
            probabilities=probabilities.get(place),
            reason=reasons.get(place, ""),
        )
        for place, crop in enumerate(wanted)
    ]


def _probabilities(
    model: TrainedModel, pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """[len(rows), K] for `rows` of uint8 crops [N, P, P, 3]."""
    device = best_device()
    model.to(device)
    batch = 2 * model.config.batch_size
    steps = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    parts = [torch.zeros(0, len(model.classes))]
    parts += [model.probabilities(images).cpu() for images in prefetched(Images(pixels), steps, device)]
    return torch.cat(parts).numpy()


def expected_grade(probabilities: Sequence[float], classes: Sequence[str]) -> float:
    """The mean grade under `probabilities` [K] of ordinal `classes`.

    It counts in the grades' own values where all names are numbers, whole or not, else in places from 0.
    """
    grades = grade_values(classes) or range(len(classes))
    return sum(share * grade for share, grade in zip(probabilities, grades, strict=True))
