"""What goes to wandb of a refitted model where `--wandb-artifacts` is given: the model, its card, figures. No photo."""

from typing import Any

from skin_tune.results.report.card_facts import CardFacts
from skin_tune.tuning.refit.plan import RefitPlan

_FILES = ("model.pt", "model_card.md")
_UPLOAD_RATE = 250_000
"""Bytes per second below which an upload is given up, to be completed by `wandb sync`."""


def artifact_files(plan: RefitPlan) -> dict[str, str]:
    """Where the files of the artifact are, by their names in it."""
    return {name: str(plan.folder / name) for name in _FILES}


def artifact_metadata(plan: RefitPlan, facts: CardFacts) -> dict[str, Any]:
    """What the artifact says of itself, in fewer than the 100 keys that wandb takes.

    `val` are the validation figures of the trial that was chosen, `test` the model's own; recalls are in the card.
    """
    return {
        "region": facts.region,
        "experiment": facts.experiment,
        "trial": facts.trial,
        "model": facts.model,
        "pack_id": facts.pack_id,
        "classes": ", ".join(str(row["class"]) for row in facts.classes),
        "trained_on": facts.trained_on,
        "epochs": facts.epochs,
        "best_epoch": facts.best_epoch,
        "config": dict(facts.config),
        "val": {name: value for name, value in plan.val_metrics.items() if "recall" not in name},
        "test": {name: value for name, value in facts.metrics.items() if "recall" not in name},
    }


def upload_seconds(plan: RefitPlan) -> float:
    """How long an upload may stand still at the end."""
    return (plan.folder / _FILES[0]).stat().st_size / _UPLOAD_RATE
