"""Configs that are given, not searched, run as an experiment of their own, each to its last epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig, settled
from skin_tune.data.pack.folds import fold_view
from skin_tune.data.pack.format import Pack
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths, check_experiment_name
from skin_tune.training.compatibility import check_compatibility
from skin_tune.tuning.experiment.plan import Plan
from skin_tune.tuning.experiment.request import TuneRequest, check_numbers
from skin_tune.tuning.experiment.runner import Outcome, run_experiment
from skin_tune.tuning.experiment.spec import defaults_of
from skin_tune.tuning.space.parameters import Parameter, Space
from skin_tune.tuning.tracking.wandb_settings import check_mode
from skin_tune.tuning.trial.context import FOLD, hyper_parameters


@dataclass(frozen=True)
class Resources:
    """Resources of runs, and their wandb mode; None as for `tune`."""

    cpus_per_trial: int | None = None
    gpus_per_trial: float | None = None
    concurrent: int | None = None
    wandb: str | None = None


def run_fixed_configs(
    configs: Sequence[Mapping[str, Any]], name: str, pack: Pack, metric: str, storage: Location, resources: Resources
) -> Outcome:
    """Run `configs` as experiment `name`, each with its `trial_id`, and its fold if there is one.

    Those that are in the store are not repeated; what was interrupted goes on. Raises a SkinTuneError for what cannot
    work, before anything starts.
    """
    check_mode(resources.wandb)
    paths = RunPaths(storage.resolve())
    request = TuneRequest(
        pack=pack.path,
        space=Path(),
        name=check_experiment_name(name),
        storage=storage,
        **asdict(resources),
        resume=paths.spec(pack.info.region, name).is_file(),
    )
    check_numbers(request)
    for config in configs:
        judged_on = fold_view(pack, config[FOLD]) if FOLD in config else pack
        check_compatibility(TrialConfig.from_mapping(hyper_parameters(config)), judged_on)
    plan = Plan(
        request=request,
        space=_space_of(configs, metric),
        pack=pack,
        paths=paths,
        name=name,
        trials=len(configs),
        defaults=defaults_of(paths.spec(pack.info.region, name)),
        configs=[{**config, **settled(hyper_parameters(config))} for config in configs],  # as the store gives them
    )
    return run_experiment(plan)


def _space_of(configs: Sequence[Mapping[str, Any]], metric: str) -> Space:
    """The grid on which `configs` lie; none of them is stopped early."""
    parameters = []
    for field in fields(TrialConfig):
        values = tuple(dict.fromkeys(config[field.name] for config in configs))
        parameters.append(Parameter(field.name, "constant" if len(values) == 1 else "categorical", values))
    return Space("grid", metric, tuple(parameters))
