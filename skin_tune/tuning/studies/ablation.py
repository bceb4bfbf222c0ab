"""Is class-balanced loss worth anything where oversampling balances the data already? Asked of a lab's own pack.

A factorial of loss x oversampling x augmentation, every cell with the same seeds.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import open_pack
from skin_tune.errors import ExperimentError
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.experiment.fixed_configs import Resources, run_fixed_configs
from skin_tune.tuning.experiment.runner import Outcome
from skin_tune.tuning.experiment.spec import defaults_of

FACTORS: dict[str, dict[str, str]] = {
    "train_loss": {"cross-entropy": "ce", "focal": "focal", "class-balanced": "cb"},
    "oversample": {"none": "none", "balanced": "balanced"},
    "augmentation_methods": {"off": "none", "on": " ".join(TrialConfig.augmentation_methods)},
}
"""Hyper-parameters and their levels, by the words they are told in; the first level is the reference."""


@dataclass(frozen=True)
class AblationRequest:
    """Arguments of the ablation."""

    pack: Location
    name: str = "ablation"
    seeds: int = 3
    overrides: dict[str, Any] = field(default_factory=dict)
    """Hyper-parameters that all cells share."""
    storage: Location = Path("runs")
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class Ablation:
    """The runs of an ablation."""

    region: str
    experiment: str
    runs: dict[tuple[str, str, str], list[str]]
    """Ids of the runs of each cell, seed by seed; a cell is named by the words of its levels."""
    outcome: Outcome


def check_ablation(seeds: int, overrides: Mapping[str, Any]) -> None:
    """Raise ExperimentError where an override would fix what the ablation varies."""
    if seeds < 1:
        raise ExperimentError(f"--seeds {seeds} is below 1")
    if fixed := sorted({*FACTORS, "seed", "augment"} & overrides.keys()):
        raise ExperimentError(f"{fixed[0]}={overrides[fixed[0]]} cannot be fixed: the ablation varies it")


def run_ablation(request: AblationRequest) -> Ablation:
    """Run every cell with every seed to its last epoch; runs that are in the store already are not repeated.

    With augmentation on, all draws are augmented, so that it means the same whether images are drawn once or often.
    What the overrides leave open has the defaults of the version that started it.
    Raises ExperimentError where an override would fix a factor.
    """
    check_ablation(request.seeds, request.overrides)
    pack = open_pack(request.pack.resolve())
    defaults = defaults_of(RunPaths(request.storage.resolve()).spec(pack.info.region, request.name))
    runs: dict[tuple[str, str, str], list[str]] = {}
    configs: list[dict[str, Any]] = []
    for seed in range(request.seeds):  # seed by seed: a run that is cut short has whole replications
        for loss, oversampling, augmentation in itertools.product(*FACTORS.values()):
            cell = (loss, oversampling, augmentation)
            levels = {name: FACTORS[name][word] for name, word in zip(FACTORS, cell, strict=True)}
            chosen = {**request.overrides, **levels, "augment": "all", "seed": seed}
            config = TrialConfig.from_mapping({**defaults, **chosen})
            trial_id = f"{request.name}-{len(configs):03d}"
            runs.setdefault(cell, []).append(trial_id)
            configs.append({**config.to_dict(), "trial_id": trial_id})
    outcome = run_fixed_configs(configs, request.name, pack, SELECTION_METRICS[0], request.storage, request.resources)
    return Ablation(pack.info.region, request.name, runs, outcome)
