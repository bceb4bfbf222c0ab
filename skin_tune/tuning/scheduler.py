"""When a trial is stopped early: asynchronous successive halving over epochs."""

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from skin_tune.config import TrialConfig
from skin_tune.tuning.space import Space


def build_scheduler(space: Space) -> TrialScheduler:
    """ASHA (Li et al. 2020) with rungs at min_iter, min_iter * eta, ...; without `early_terminate` nothing is stopped.

    Trials end at their own last epoch, or at `max_iter` where the space gives one.
    """
    early_terminate = space.early_terminate
    if early_terminate is None:
        return FIFOScheduler()
    longest = max(early_terminate.max_iter or most_epochs(space), early_terminate.min_iter)
    return ASHAScheduler(
        time_attr="epoch",
        max_t=longest,
        grace_period=early_terminate.min_iter,
        reduction_factor=early_terminate.eta,
    )


def most_epochs(space: Space) -> int:
    """Epochs of the longest trial that `space` can draw."""
    for parameter in space.parameters:
        if parameter.name == "epochs":
            return int(max(parameter.values)) if parameter.values else int(parameter.at(1.0))
    return TrialConfig.epochs
