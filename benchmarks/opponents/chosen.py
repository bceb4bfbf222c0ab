"""Choosing a model by validation, with a count of the images drawn for it, and testing it once."""

import copy
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from benchmarks.opponents.loop import Epoch, Photos, predict
from benchmarks.opponents.recipe import Recipe


@dataclass(frozen=True)
class Task:
    """One split of a data set, and how long an opponent may train on it."""

    train: Photos
    val: Photos
    test: Photos
    classes: int
    epochs: int
    """Epochs of one full-length run."""
    image_size: int
    seed: int

    @property
    def budget(self) -> int:
        """Images that an opponent may draw in training: four full-length runs' worth."""
        return 4 * self.epochs * len(self.train.labels)

    def recipe(self, *, plus: bool) -> Recipe:
        """The loop's hyper-parameters that the task decides; `plus` augments and adjusts the decision."""
        return Recipe(augment=plus, adjusted=plus, epochs=self.epochs, image_size=self.image_size, seed=self.seed)


@dataclass(frozen=True)
class Outcome:
    """What an opponent chose, and what that said of the test split."""

    config: dict[str, Any]
    epoch: int
    val_balanced_acc: float
    test_predicted: npt.NDArray[np.int64]
    images_drawn: int
    runs: int


@dataclass
class Best:
    """The best epoch of all so far by validation balanced accuracy; of equals the first."""

    images_drawn: int = 0
    runs: int = 0
    val_balanced_acc: float = -1.0
    epoch: int = 0
    recipe: Recipe = field(default_factory=Recipe)
    _network: nn.Module | None = None

    def offer(self, recipe: Recipe, epoch: Epoch) -> None:
        """Count an epoch, and keep its network where it is the best."""
        self.images_drawn += epoch.drawn
        self.runs += epoch.number == 1
        if epoch.val_balanced_acc > self.val_balanced_acc:
            self.val_balanced_acc, self.epoch, self.recipe = epoch.val_balanced_acc, epoch.number, recipe
            self._network = copy.deepcopy(epoch.network)  # the next epoch trains it further

    def tested(self, task: Task) -> Outcome:
        """Predict the test split, with the best network alone."""
        assert self._network is not None
        counts = np.bincount(task.train.labels, minlength=task.classes)
        predicted = predict(self.recipe, self._network, task.test, counts)
        return Outcome(asdict(self.recipe), self.epoch, self.val_balanced_acc, predicted, self.images_drawn, self.runs)
