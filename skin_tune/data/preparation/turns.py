"""Turns: parts of a work that are done at the same time learn, in their order, what those before them left out."""

import threading
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any


@dataclass(frozen=True)
class Turns:
    """Counts what was left out so far, one count for each of several files. Parts are numbered from 0."""

    condition: Any
    """A Condition of `threading` or `multiprocessing`."""
    state: MutableSequence[int]
    """The part whose turn it is, and the counts so far."""

    @staticmethod
    def in_this_process(counts: int) -> "Turns":
        return Turns(threading.Condition(), [0] * (1 + counts))

    @staticmethod
    def among_processes(counts: int, context: BaseContext) -> "Turns":
        state: Any = context.RawArray("q", 1 + counts)
        return Turns(context.Condition(), state)

    def take(self, part: int, left_out: Sequence[int]) -> list[int]:
        """Wait for all parts before `part`, then add its counts. Returns the counts without its own.

        Each part must take its turn, once.
        """
        with self.condition:
            self.condition.wait_for(lambda: self.state[0] == part)
            _, *before = self.state
            self.state[0] = part + 1
            for place, count in enumerate(left_out, start=1):
                self.state[place] += count
            self.condition.notify_all()
        return before
