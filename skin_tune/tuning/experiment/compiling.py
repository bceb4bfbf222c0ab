"""Whether trials that are about to run train on enough images for `compile=auto` to compile."""

from collections.abc import Mapping, Sequence
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.loading.sampling import draws_per_class
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError
from skin_tune.training.compatibility import train_splits
from skin_tune.training.compile_policy import compiling_pays
from skin_tune.tuning.experiment.plan import Plan
from skin_tune.tuning.tracking.live_line import announce
from skin_tune.tuning.trial.context import hyper_parameters

_SHARE_IF_STOPPED_EARLY = 0.3
"""Of the epochs of a search's trials, what is left of them where early stopping ends most (docs/performance.md)."""


def decide(configs: Sequence[TrialConfig], images: float) -> bool:
    """Whether compiling pays in a process with a GPU that trains such configs on `images`; says so where it matters."""
    pays = any(compiling_pays(images, config.image_size) for config in configs)
    if any(config.compile == "auto" for config in configs):
        what = "pay for compiling the network" if pays else "do not pay for compiling the network"
        announce(f"compile=auto: about {images:,.0f} training images a process {what}")
    return pays


def images_of(config: TrialConfig, pack: Pack, *, include_val: bool = False) -> int:
    """Images that a whole training of `config` draws; 0 where it cannot be trained."""
    try:
        return config.epochs * int(draws_per_class(config, pack.class_counts(*train_splits(include_val))).sum())
    except ConfigError:
        return 0


def decide_for(plans: Sequence[Plan], processes: int) -> bool:
    """`decide` for the trials of plans that share a run, by all of their trials: a resumed run decides as the first."""
    images = sum(_images_of_plan(plan) for plan in plans)
    if budget := plans[0].request.image_budget:
        images = min(images, budget)
    return decide([config for plan in plans for config in _typical(plan)], images / max(1, processes))


def _images_of_plan(plan: Plan) -> float:
    configs = _typical(plan)
    images = sum(images_of(config, plan.pack) for config in configs)
    if plan.configs:
        return images
    share = _SHARE_IF_STOPPED_EARLY if plan.space.early_terminate else 1.0
    return images * plan.trials * share


def _typical(plan: Plan) -> list[TrialConfig]:
    """The configs that are to run; of a search one from the middle of its space, if that can be a config."""
    middle = plan.space.config({parameter.name: 0.5 for parameter in plan.space.searched})
    values: Sequence[Mapping[str, Any]] = plan.configs or [{**plan.defaults, **middle}]
    try:
        return [TrialConfig.from_mapping(hyper_parameters(each)) for each in values]
    except ConfigError:
        return []
