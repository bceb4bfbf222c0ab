"""Which images a config draws in an epoch."""

import numpy as np
import numpy.typing as npt

from skin_tune.config import TrialConfig
from skin_tune.data.loading.equal_epochs import equal_draws, equal_epoch_plan
from skin_tune.data.loading.oversampling import EpochPlan, epoch_plan, target_counts
from skin_tune.errors import ConfigError


def draws_per_class(config: TrialConfig, counts: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Draws per class [K] of every epoch of `config`, for training counts [K].

    Raises ConfigError where `epoch_images` is too few to show every class.
    """
    if not _are_equal(config):
        return target_counts(counts, config.oversample, config.target_samples_per_class)
    classes = int(np.count_nonzero(counts))
    images = config.epoch_images or int(np.sum(counts))
    if images < classes:
        raise ConfigError(f"epoch_images={images} is fewer than the {classes} classes that have training images")
    return equal_draws(counts, config.oversample, images)


def plan_epoch(
    config: TrialConfig, labels: npt.NDArray[np.integer], draws: npt.NDArray[np.integer], epoch: int
) -> EpochPlan:
    """The draws of an epoch, from 1, of `draws_per_class`, for the training labels [N]."""
    plan = equal_epoch_plan if _are_equal(config) else epoch_plan
    return plan(labels, draws, seed=config.seed, epoch=epoch)


def _are_equal(config: TrialConfig) -> bool:
    aims_at_target = config.oversample != "none" and config.target_samples_per_class > 0
    return config.epoch_images >= 0 and not aims_at_target
