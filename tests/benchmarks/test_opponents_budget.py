"""All opponents draw as many images in training, and test the model that validation chose."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.opponents.chosen import Best, Task
from benchmarks.opponents.hand_tuned import VARIANTS, run_optuna, run_variants
from benchmarks.opponents.loop import Epoch, Photos, train_epochs
from benchmarks.opponents.recipe import Recipe
from benchmarks.opponents.run import task_of
from tests.benchmarks.tiny_network import build_tiny
from tests.conftest import PackMaker


@pytest.fixture
def tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.opponents.loop.build_network", build_tiny)


@pytest.fixture
def task(make_pack: PackMaker) -> Task:
    pack = make_pack({"train": (20, 12, 6), "val": (4, 3, 3), "test": (4, 3, 2)}, size=18)
    return task_of(pack, epochs=2, image_size=16, seed=0)


@pytest.mark.usefixtures("tiny_network")
@pytest.mark.parametrize("plus", [False, True])
def test_four_loops_draw_the_budget(task: Task, plus: bool):
    outcome = run_variants(task, plus=plus)
    assert (outcome.images_drawn, outcome.runs) == (task.budget, len(VARIANTS))
    assert task.budget == 4 * 2 * 38
    assert outcome.test_predicted.shape == (9,)
    assert (outcome.config["augment"], outcome.config["adjusted"]) == (plus, plus)


@pytest.mark.usefixtures("tiny_network")
def test_optuna_stops_with_less_than_an_epoch_of_the_budget_left(task: Task):
    outcome = run_optuna(task, plus=False)
    assert task.budget - 38 < outcome.images_drawn <= task.budget
    assert outcome.runs >= 4


@pytest.mark.usefixtures("tiny_network")
@pytest.mark.parametrize("oversample", [False, True])
def test_an_epoch_is_as_long_as_the_training_set(task: Task, oversample: bool):
    recipe = Recipe(oversample=oversample, epochs=1, image_size=16)
    [epoch] = train_epochs(recipe, task.train, task.val, task.classes)
    assert epoch.drawn == 38


def test_a_seed_gives_the_same_numbers(task: Task):
    recipe = Recipe(oversample=True, augment=True, epochs=1, image_size=16, seed=3)
    first, second = (
        [value.clone() for value in epoch.network.state_dict().values()]
        for _ in range(2)
        for epoch in train_epochs(recipe, task.train, task.val, task.classes)
    )
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_the_best_epoch_is_tested_as_it_was():
    photos = Photos(np.zeros((2, 16, 16, 3), np.uint8), np.array([0, 1]))
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    best = Best()
    for number, (score, answer) in enumerate([(0.5, 0), (0.7, 1), (0.6, 0)], start=1):
        with torch.no_grad():
            network[1].weight.zero_()
            network[1].bias.copy_(torch.eye(2)[answer])
        best.offer(Recipe(image_size=16), Epoch(number, 10, score, network))
    outcome = best.tested(Task(photos, photos, photos, classes=2, epochs=3, image_size=16, seed=0))
    assert outcome.test_predicted.tolist() == [1, 1]
    assert (outcome.epoch, outcome.val_balanced_acc, outcome.images_drawn, outcome.runs) == (2, 0.7, 30, 1)
