"""The same photos split by another seed, or a share of them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.layout.info import PackInfo, content_id, image_digest
from skin_tune.data.pack.subject_split import SPLITS, split_by_subject
from skin_tune.data.pack.writer import PackRows, write_pack

_LEAST_SUBJECTS = 3
"""Of each class, whatever the share: one for each split."""


def split_anew(base: Pack, path: Path, *, seed: int, fraction: float = 1.0) -> Pack:
    """Write and open a pack of a `fraction` of the subjects of `base`, split 60/20/20 by subject, both by `seed`."""
    rows = draw_subjects(base.labels, base.subjects, seed=seed, fraction=fraction)
    images, labels, subjects = base.images[rows], base.labels[rows], base.subjects[rows].tolist()
    split = split_by_subject(labels, subjects, seed=seed)
    info = base.info
    per_split = {
        name: dict(zip(info.classes, _counts(labels[split == code], len(info.classes)), strict=True))
        for code, name in enumerate(SPLITS)
    }
    digests = (image_digest(image.tobytes()) for image in images)
    pack_id = content_id(
        info.region, info.classes, info.size, digests, labels.tolist(), split.tolist(), subjects, info.ordinal
    )
    anew = PackInfo(
        region=info.region,
        classes=info.classes,
        size=info.size,
        split_seed=seed,
        split_ratios=[60, 20, 20],
        counts=per_split,
        pack_id=pack_id,
        ordinal=info.ordinal,
    )
    columns = PackRows(labels.astype(np.int16), split, subjects, base.sources[rows].tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_pack(path, images, columns, anew)
    return open_pack(path)


def _counts(labels: npt.NDArray[np.int64], classes: int) -> list[int]:
    return np.bincount(labels, minlength=classes).tolist()


def draw_subjects(
    labels: npt.NDArray[np.int64], subjects: npt.NDArray[np.str_], *, seed: int, fraction: float
) -> npt.NDArray[np.int64]:
    """Rows, ascending, of a `fraction` of the subjects of each class, rounded; a subject is of its first row's class.

    At least three subjects of each class, or all that there are, so that it can be in every split.
    """
    names, first_row = np.unique(subjects, return_index=True)
    rng = np.random.default_rng(seed)
    drawn: list[npt.NDArray[np.str_]] = []
    for label in np.unique(labels[first_row]):
        own = rng.permutation(names[labels[first_row] == label])
        drawn.append(own[: max(_LEAST_SUBJECTS, round(fraction * len(own)))])
    return np.flatnonzero(np.isin(subjects, np.concatenate(drawn)))
