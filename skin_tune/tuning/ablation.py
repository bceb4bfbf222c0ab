"""Is class-balanced loss worth anything where oversampling balances the data already? Asked of a lab's own pack.

A factorial of loss x oversampling x augmentation, every cell with the same seeds.
"""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack import open_pack
from skin_tune.errors import ExperimentError
from skin_tune.training.metrics import SELECTION_METRICS
from skin_tune.tuning.experiment import Outcome
from skin_tune.tuning.given import Resources, run_given

FACTORS: dict[str, dict[str, str]] = {
    "train_loss": {"cross-entropy": "ce", "focal": "focal", "class-balanced": "cb"},
    "oversample": {"none": "none", "balanced": "balanced"},
    "augmentation_methods": {"off": "none", "on": " ".join(TrialConfig.augmentation_methods)},
}
"""Hyper-parameters and their levels, by the words they are told in; the first level is the reference."""


@dataclass(frozen=True)
class AblationRequest:
    """What the ablation was asked for."""

    pack: Path
    name: str = "ablation"
    seeds: int = 3
    overrides: dict[str, Any] = field(default_factory=dict)
    """Hyper-parameters that all cells share."""
    storage: Path = Path("runs")
    resources: Resources = field(default_factory=Resources)


def run_ablation(request: AblationRequest) -> Outcome:
    """Run every cell with every seed to its last epoch; runs that are in the store already are not repeated.

    With augmentation on, all draws are augmented, so that it means the same whether images are drawn once or often.
    Raises ExperimentError where an override would fix a factor.
    """
    if request.seeds < 1:
        raise ExperimentError(f"--seeds {request.seeds} is below 1")
    if fixed := sorted({*FACTORS, "seed", "augment"} & request.overrides.keys()):
        raise ExperimentError(f"{fixed[0]}={request.overrides[fixed[0]]} cannot be fixed: the ablation varies it")
    pack = open_pack(request.pack.resolve())
    configs: list[dict[str, Any]] = []
    for seed in range(request.seeds):  # seed by seed: a run that is cut short has whole replications
        for cell in itertools.product(*(levels.values() for levels in FACTORS.values())):
            values = {**request.overrides, **dict(zip(FACTORS, cell, strict=True)), "augment": "all", "seed": seed}
            config = TrialConfig.from_mapping(values).to_dict()
            configs.append({**config, "trial_id": f"{request.name}-{len(configs):03d}"})
    return run_given(configs, request.name, pack, SELECTION_METRICS[0], request.storage, request.resources)
