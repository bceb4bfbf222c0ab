"""docs/architecture.md tells the truth: its picture, its names, and how to add what it says can be added."""

import re
import runpy
from types import SimpleNamespace

import pytest
import torch

from skin_tune.config import CHOICES, TrialConfig
from skin_tune.config.choices import LOSSES, OPTIMIZERS
from tests.cli_runner import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_the_picture_is_drawn_from_the_imports_as_they_are():
    drawing = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "draw_rooms.py")))
    assert drawing.PICTURE.read_text() == drawing.svg(), "python docs/draw_rooms.py draws it anew"


def test_every_file_that_is_named_exists():
    known = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/*.py") if ".venv" not in path.parts}
    for name in re.findall(r"`([\w/]+\.py)`", PAGE):
        assert any(path == name or path.endswith(f"/{name}") for path in known), name


def test_every_function_of_the_table_is_in_its_file():
    rows = re.findall(r"^\| .+ \| `([\w/]+\.py)` \| (.+) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) >= 10
    for file, functions in rows:
        source = (ROOT / "skin_tune" / file).read_text()
        name = re.findall(r"`([\w.]+)`", functions)[0].rpartition(".")[2]
        assert re.search(rf"^\s*(def|class) {name}\b", source, flags=re.MULTILINE), (file, name)


@pytest.mark.parametrize("name", CHOICES["train_loss"])
def test_an_entry_is_all_that_a_loss_needs(name: str):
    loss = LOSSES[name].load()(TrialConfig(train_loss=name), [8, 2, 1], [8, 8, 8])
    logits, labels = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])
    assert loss(logits, labels).shape == (4,)
    assert LOSSES[name].summary


@pytest.mark.parametrize("name", CHOICES["optimizer"])
def test_an_entry_is_all_that_an_optimiser_needs(name: str):
    weight = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = OPTIMIZERS[name].load()([{"params": [weight]}], TrialConfig(optimizer=name, learning_rate=0.1))
    weight.sum().backward()
    optimizer.step()
    assert (weight < 1).all()
    assert OPTIMIZERS[name].summary
