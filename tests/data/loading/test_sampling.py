"""A config decides how long an epoch is and what it draws."""

import numpy as np
import pytest

from skin_tune.config import TrialConfig
from skin_tune.data.loading.oversampling import epoch_plan
from skin_tune.data.loading.sampling import draws_per_class, plan_epoch
from skin_tune.errors import ConfigError

COUNTS = np.array([24, 12, 6])
LABELS = np.repeat([0, 1, 2], COUNTS)


@pytest.mark.parametrize("oversample", ["none", "sqrt", "balanced"])
@pytest.mark.parametrize(("epoch_images", "length"), [(0, 42), (20, 20), (100, 100)])
def test_an_epoch_is_as_long_as_asked_for_however_its_classes_are_weighed(
    oversample: str, epoch_images: int, length: int
):
    config = TrialConfig(oversample=oversample, epoch_images=epoch_images)
    draws = draws_per_class(config, COUNTS)
    assert draws.sum() == length == len(plan_epoch(config, LABELS, draws, 2))


@pytest.mark.parametrize(
    ("changes", "draws"),
    [({"epoch_images": -1}, [24, 24, 24]), ({"target_samples_per_class": 30}, [30, 30, 30])],
)
def test_an_epoch_as_long_as_the_imbalance_makes_it_is_that_of_older_versions(
    changes: dict[str, int], draws: list[int]
):
    config = TrialConfig(oversample="balanced", seed=4, **changes)  # type: ignore[arg-type]
    assert draws_per_class(config, COUNTS).tolist() == draws
    ours = plan_epoch(config, LABELS, np.array(draws), 3)
    theirs = epoch_plan(LABELS, np.array(draws), seed=4, epoch=3)
    for name in ("positions", "added", "randoms"):
        assert (getattr(ours, name) == getattr(theirs, name)).all()


def test_fewer_images_than_classes_are_refused():
    with pytest.raises(ConfigError, match="epoch_images=2 is fewer than the 3 classes that have training images"):
        draws_per_class(TrialConfig(epoch_images=2), COUNTS)
