"""The end of a search that has nothing left to win."""

from collections.abc import Callable

from skin_tune.results.statistics.settled import Settled, when_settled
from skin_tune.results.store.status import unfinished
from skin_tune.results.store.writer import ExperimentWriter


class Settling:
    """Watches the trials of an experiment end until it is settled, see `when_settled`."""

    def __init__(self, writer: ExperimentWriter, metric: str, noise_of: Callable[[str], float]):
        self._writer, self._metric, self._noise_of = writer, metric, noise_of
        self._noise: dict[str, float] = {}
        self._ended = 0
        self._settled: Settled | None = None

    def settled(self) -> Settled | None:
        """Where it was; None where it is not yet. Asked again it looks anew only once another trial has ended."""
        rows = self._writer.trials()
        ended = sum(not unfinished(row) for row in rows)
        if self._settled is None and ended != self._ended:
            self._ended = ended
            self._settled = when_settled(rows, self._metric, self._noise_of_trial)
        return self._settled

    def _noise_of_trial(self, trial_id: str) -> float:
        if trial_id not in self._noise:
            self._noise[trial_id] = self._noise_of(trial_id)
        return self._noise[trial_id]
