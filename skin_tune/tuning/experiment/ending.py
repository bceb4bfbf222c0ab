"""What ends an experiment before all of its trials have run: the target, or that nothing is left to win."""

from functools import partial
from typing import TYPE_CHECKING

from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.experiment.plan import Plan
from skin_tune.tuning.experiment.request import SETTLED
from skin_tune.tuning.search.target import Reached, first_to_reach

if TYPE_CHECKING:
    from skin_tune.results.statistics.settled import Settled
    from skin_tune.tuning.search.settling import Settling


def ending_of(plan: Plan, writer: ExperimentWriter) -> "Reached | Settled | None":
    """What has ended it, as its store has it."""
    reached = first_to_reach(writer.trials(), writer.epochs(), plan.space.metric, plan.space.target)
    if reached is not None:
        return reached
    settling = settling_of(plan, writer)
    return None if settling is None else settling.settled()


def settling_of(plan: Plan, writer: ExperimentWriter) -> "Settling | None":
    """What watches whether anything is left to win; None where that is not asked for."""
    if plan.request.until != SETTLED:
        return None
    from skin_tune.results.statistics.settled import noise_of_trial  # loads SciPy
    from skin_tune.tuning.search.settling import Settling

    metric = plan.space.metric
    return Settling(writer, metric, partial(noise_of_trial, plan.paths.storage, plan.region, plan.name, metric))
