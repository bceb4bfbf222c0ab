"""The life of an experiment, as far as its files tell, and moments of it at which to kill."""

import os
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from skin_tune.errors import StoreError
from skin_tune.results import load_trials
from tests.integration.commands import Command

STARTING, FIRST_EPOCH, MIDDLE, ENDING = "starting", "first epoch", "middle", "ending"
KILLS_IN = {STARTING: 8, FIRST_EPOCH: 4, MIDDLE: 7, ENDING: 3}
"""How many of the kills hit which part of a life: more of them where more is written, and where it is over."""
_LOOK_SECONDS = 0.02
RAY_STARTS, BEGUN = 1, 2


class Progress:
    """How far a run has come: BEGUN once its trials have begun, one more with each epoch that lasts, 0 before.

    An epoch lasts once its trial's `last.pt`, or its trial's end in the store, has it. One more than with all epochs is
    a run whose trials have all ended.
    """

    def __init__(self, storage: Path, name: str, trials: int, epochs: int):
        self.folder = storage / "experiments" / "lip_dryness" / name
        self._storage, self._name, self._trials, self._epochs = storage, name, trials, epochs
        self._table = storage / "results" / "trials" / "region=lip_dryness" / f"experiment={name}" / "data.parquet"
        self._before = self._stamp()
        self._ended: tuple[int, set[str]] = (0, set())
        self._known: dict[tuple[str, int], int] = {}

    @property
    def end(self) -> int:
        return BEGUN + 1 + self._trials * self._epochs

    def look(self, keep: Path | None = None) -> int:
        """Where the run is; each `last.pt` is linked into `keep` by its trial and epoch."""
        if self._stamp() == self._before:  # by this run, nothing
            return 0
        ended = self._ended_trials()
        lasting = len(ended) * self._epochs
        for file in self.folder.glob("checkpoints/*/last.pt"):
            if (trial := file.parent.name) not in ended:
                lasting += self._epoch_of(trial, file, keep)
        return self.end if len(ended) == self._trials else BEGUN + lasting

    def _ended_trials(self) -> set[str]:
        if (stamp := self._stamp()) != self._ended[0]:
            try:
                rows = load_trials(self._storage, experiment=self._name)
            except StoreError:  # nothing has been written
                return set()
            self._ended = stamp, set(rows["trial_id"][rows["ended_at"].notna()])
        return self._ended[1]

    def _epoch_of(self, trial: str, file: Path, keep: Path | None) -> int:
        try:
            stamp = file.stat().st_ino
            if (trial, stamp) not in self._known:
                epoch = torch.load(file, mmap=True)["epoch"]
                self._known[trial, stamp] = epoch
                if keep is not None:
                    os.link(file, keep / f"{trial[-3:]}-{epoch}.pt")
            return self._known[trial, stamp]
        except FileNotFoundError:  # its trial ended while we looked
            return 0

    def _stamp(self) -> int:
        return self._table.stat().st_mtime_ns if self._table.exists() else 0


@dataclass(frozen=True)
class Moment:
    """So many `seconds` after a run has come to `reached`."""

    part: str
    reached: int
    seconds: float


@dataclass
class Timeline:
    """When an unbroken run came to what, in seconds since it was started."""

    reached: list[int] = field(default_factory=lambda: [0])
    at: list[float] = field(default_factory=lambda: [0.0])
    total: float = 0.0

    def note(self, reached: int, seconds: float) -> None:
        if reached > self.reached[-1]:
            self.reached.append(reached)
            self.at.append(seconds)

    def parts(self) -> dict[str, tuple[float, float]]:
        """From when to when each part of the life was."""
        begun, first = (self.at[bisect_left(self.reached, least)] for least in (BEGUN, BEGUN + 1))
        ended = self.at[-1]
        return {
            STARTING: (0.0, begun),
            FIRST_EPOCH: (begun, first),
            MIDDLE: (first, ended),
            ENDING: (ended, ended + 0.8 * (self.total - ended)),  # later it would often have ended before the kill
        }

    def moments(self, chance: random.Random) -> list[Moment]:
        """Random moments, spread over the life: one in each of as many stretches of a part as that is to have kills."""
        found = []
        for part, (start, end) in self.parts().items():
            stretch = (end - start) / KILLS_IN[part]
            for number in range(KILLS_IN[part]):
                at = start + (number + chance.random()) * stretch
                place = bisect_right(self.at, at) - 1
                found.append(Moment(part, self.reached[place], at - self.at[place]))
        return found


def part_of(reached: int, end: int) -> str:
    """The part of the life in which a run is."""
    return {0: STARTING, RAY_STARTS: STARTING, BEGUN: FIRST_EPOCH, end: ENDING}.get(reached, MIDDLE)


def reached_by(run: Command, progress: Progress, keep: Path | None = None) -> int:
    """Where a run is, from its start on: RAY_STARTS once its cluster has a folder, whose name ends in its number."""
    folders = Path(os.environ["RAY_TMPDIR"], "ray").glob(f"session_*_{run.process.pid}")
    return progress.look(keep) or (RAY_STARTS if any(folders) else 0)


def lived(run: Command, progress: Progress, keep: Path) -> Timeline:
    """The time line of a run that is left alone; its checkpoints are kept in `keep`."""
    started, line = time.monotonic(), Timeline()
    while run.process.poll() is None:
        line.note(reached_by(run, progress, keep), time.monotonic() - started)
        time.sleep(_LOOK_SECONDS)
    line.note(progress.look(keep), time.monotonic() - started)
    line.total = time.monotonic() - started
    return line


def wait_for(run: Command, progress: Progress, moment: Moment) -> int | None:
    """Return at a moment of a run where the run is then; None where it has ended before."""
    if not _until(run, lambda: reached_by(run, progress) >= moment.reached):
        return None
    until = time.monotonic() + moment.seconds
    return reached_by(run, progress) if _until(run, lambda: time.monotonic() >= until) else None


def _until(run: Command, condition: Callable[[], bool]) -> bool:
    while not condition():
        if run.process.poll() is not None:
            return False
        time.sleep(_LOOK_SECONDS)
    return run.process.poll() is None


def dealt(moments: Sequence[Moment], hands: int) -> list[list[Moment]]:
    """The moments in so many hands, each with some of every part of the life, in their order."""
    return [list(moments[hand::hands]) for hand in range(hands)]
