"""The balanced accuracy of the group of people or photos that a model grades worst."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError
from skin_tune.metrics import confusion_matrix, grouped_by, scores_of, tallies_of
from skin_tune.storage.photo_columns import FEWEST_SUBJECTS, UNKNOWN, group_of

Rows = npt.NDArray[np.int64]


def groups_to_judge(
    values: npt.NDArray[np.object_], attribute: str, labels: npt.NDArray[np.int64], subjects: npt.NDArray[np.str_]
) -> Mapping[str, Rows]:
    """The images of each group that can be judged, from a row per image [N].

    It has FEWEST_SUBJECTS and an image of each class that the others show; images of which the source does not say are
    no group. Empty where fewer than two groups can be judged.
    """
    names = np.array([group_of(attribute, value) for value in values], dtype=object)
    shown = np.unique(labels)
    found = {name: np.flatnonzero(names == name) for name in sorted(set(names)) if name != UNKNOWN}
    judged = {
        name: rows
        for name, rows in found.items()
        if len(np.unique(subjects[rows])) >= FEWEST_SUBJECTS and np.array_equal(np.unique(labels[rows]), shown)
    }
    return judged if len(judged) > 1 else {}


def worst_balanced_acc(
    groups: Mapping[str, Rows], labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int
) -> float:
    """The least balanced accuracy of some groups, at least one, of all images' labels and predicted classes [N]."""
    confusions = [confusion_matrix(labels[rows], predicted[rows], classes) for rows in groups.values()]
    return float(scores_of(tallies_of(np.array(confusions, np.float64)))["balanced_acc"].min())


def check_groups(metric: str, pack: Pack) -> None:
    """Raise ConfigError where `metric` is of a worst group, and the pack's validation split has none to judge."""
    attribute = grouped_by(metric)
    if attribute is None:
        return
    rows = pack.indices("val")
    values = pack.about[attribute][rows]
    if groups_to_judge(values, attribute, pack.labels[rows], pack.subjects[rows]):
        return
    known: dict[str, set[str]] = {}
    for value, subject in zip(values, pack.subjects[rows], strict=True):
        known.setdefault(group_of(attribute, value) or "not known", set()).add(str(subject))
    has = ", ".join(f"{name} ({len(people)})" for name, people in sorted(known.items()))
    raise ConfigError(
        f"metric {metric} needs two groups by {attribute}, each with {FEWEST_SUBJECTS} subjects and every class on the "
        f"validation split; that of pack {str(pack.path)!r} has {has or 'no image'} (subjects)"
    )
