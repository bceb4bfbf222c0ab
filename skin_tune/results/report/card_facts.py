"""The facts of a model card: what a refit keeps in its `metrics.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CardFacts:
    """Everything a card says."""

    model: str
    region: str
    experiment: str
    trial: str
    trained_on: str
    """In words: the splits, such as ``train and val``."""
    epochs: int
    best_epoch: int
    workers: int
    seconds: float
    gpu_seconds: float
    pack_id: str
    split: str
    """In words: ratios and seed."""
    trials: int
    """How many trials the champion was chosen among."""
    metric: str
    """The metric it was chosen by."""
    test_openings: int
    """How often this pack's test split has been opened below this storage, this time included."""
    metrics: Mapping[str, float | None]
    """Metrics on the test split; None where undefined, such as the recall of a class without images."""
    classes: Sequence[Mapping[str, Any]]
    """Rows of ``class train_images test_images precision recall f1``, in ordinal order where there is one; with bounds
    as ``precision_low precision_high`` and so on, which those of older versions do not have."""
    confusion: Sequence[Sequence[int]]
    """[K][K], true class by row; like `classes` by the decision that `metric` is of."""
    config: Mapping[str, Any]
    code_version: str = ""
    libraries: str = ""
    hardware: str = ""
    members: Sequence[str] = ()
    """Trials whose networks the model combines; empty for a single one."""
    ordinal: bool = True
    """Whether the classes have an order; refits of older versions do not say, and theirs have one."""
    # Refits of older versions have nothing of what follows.
    intervals: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Lower and upper bound of each of `metrics`, None where there are none; 95%, over subjects."""
    calibration: Mapping[str, float | None] = field(default_factory=dict)
    """``error overconfidence overconfidence_low overconfidence_high`` of the plain probabilities."""
    groups: Sequence[Mapping[str, Any]] = ()
    """Rows of ``attribute group subjects images too_small`` and each of METRICS with its bounds, on the test split."""
    gaps: Sequence[Mapping[str, Any]] = ()
    """Rows of ``attribute metric worst best gap gap_low gap_high p``."""
    splits: Sequence[Mapping[str, Any]] = ()
    """Rows of ``split subjects images``."""
    people: Sequence[Mapping[str, Any]] = ()
    """Rows of ``attribute group train val test``: subjects of each split."""
    quarantined: Mapping[str, int] | None = None
    """Rows of the source that could not be used, by reason; None where there is no quarantine file beside the pack."""
