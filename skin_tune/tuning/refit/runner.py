"""The champion: an experiment's best config trained once more, and tested once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from skin_tune.errors import StoreError
from skin_tune.results.report.card_facts import CardFacts
from skin_tune.results.store.lock import lock_experiment
from skin_tune.results.store.notes import note_as, wrong_facts
from skin_tune.storage.files import Location, cannot_write
from skin_tune.tuning.refit.plan import RefitRequest, plan_refit
from skin_tune.tuning.tracking.live_line import doing


@dataclass(frozen=True)
class Refit:
    """A refitted model: its folder holds `model.pt` and what the model card says of it."""

    model: str
    folder: Location
    facts: CardFacts
    new: bool
    """False where it had been there already, and nothing was trained or opened."""
    wandb: str = ""
    """Messages about the wandb run."""


def run_refit(
    request: RefitRequest, on_epoch: Callable[[Mapping[str, float], int], None] = lambda metrics, epochs: None
) -> Refit:
    """Train a trial's config on `request.workers` workers, then open the test split once and write what came of it.

    What was interrupted goes on from its last epoch; what is complete is returned as it is.
    """
    plan = plan_refit(request)
    doing("loading PyTorch")
    from skin_tune.tuning.refit.training import train_champion  # load PyTorch: not before the checks
    from skin_tune.tuning.refit.wandb_log import log_complete

    lock = lock_experiment(plan.paths.storage, plan.region, request.experiment)
    try:
        complete = plan.folder / "metrics.json"
        if complete.is_file():
            facts = _facts_in(complete)
            return Refit(plan.model, plan.folder, facts, new=False, wandb=log_complete(plan, facts))
        facts, message = train_champion(plan, on_epoch)
        return Refit(plan.model, plan.folder, facts, new=True, wandb=message)
    except OSError as error:
        raise cannot_write(plan.folder, error) from None
    finally:
        lock.release()


def _facts_in(file: Location) -> CardFacts:
    if facts := note_as(CardFacts, file, wrong_facts):
        return facts
    raise StoreError(f"{str(file)!r} is not what this program writes of a refit; remove it to refit again")
