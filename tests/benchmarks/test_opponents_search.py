"""skin-tune as an opponent: trials until the budget is drawn. The trials themselves are written, not run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.opponents import search
from benchmarks.opponents.run import task_of
from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.results.store.tables import ExperimentWriter
from tests.conftest import PackMaker
from tests.models import write_model

SMALL = {"backbone": "resnet18", "weights": "none", "image_size": 16, "oversample": "none", "epochs": 2}
EPOCHS = (2, 1, 2, 1, 2, 2)
"""Of each trial in turn; two are stopped early."""


@pytest.fixture
def pack(make_pack: PackMaker) -> Pack:
    return make_pack({"train": (20, 12, 6), "val": (4, 3, 3), "test": (4, 3, 2)}, size=16)


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump({"method": "random", "parameters": {"oversample": {"value": "none"}}}))
    return path


def test_trials_stopped_early_make_room_for_further_ones(
    pack: Pack, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, told = write_model(tmp_path / "best.pt", pack), []

    def write_trials(
        pack: Pack,
        space: Path,
        storage: Path,
        name: str,
        trials: int,
        overrides: dict[str, Any],
        seed: int,
        *,
        resume: bool,
    ) -> None:
        told.append((trials, resume))
        (storage / "experiments" / pack.info.region / name).mkdir(parents=True, exist_ok=True)
        config = {f"config/{key}": value for key, value in TrialConfig.from_mapping(SMALL).to_dict().items()}
        writer = ExperimentWriter(storage, pack.info.region, name)
        for number, epochs in enumerate(EPOCHS[:trials]):
            status = "completed" if epochs == 2 else "stopped_early"
            writer.update_trial(f"t-{number}", status=status, epochs=epochs, **config)
            metrics = {"epoch": epochs, "val_balanced_acc": 0.5 - abs(number - 2) / 10}
            writer.record_best(f"t-{number}", metrics, str(model) if number == 2 else "another.pt")
        writer.flush()
        writer.close()

    monkeypatch.setattr(search, "_tune", write_trials)
    task = task_of(pack, epochs=2, image_size=16, seed=0)
    outcome = search.run_skin_tune(task, pack, space, tmp_path)
    assert told == [(4, False), (5, True)]
    assert (outcome.images_drawn, outcome.runs) == (38 * (2 + 1 + 2 + 1 + 2), 5)
    assert outcome.images_drawn == task.budget
    assert (outcome.epoch, outcome.val_balanced_acc) == (2, 0.5)
    expected = evaluate_file(model, pack.path, "test").probabilities.argmax(axis=1)
    assert np.array_equal(outcome.test_predicted, expected)


def test_a_budget_of_less_than_a_trial_is_an_error(pack: Pack, space: Path, tmp_path: Path):
    text = {"method": "random", "parameters": {"target_samples_per_class": {"value": 1000}}}
    space.write_text(yaml.safe_dump(text))
    with pytest.raises(ConfigError, match="draws up to 6000 images, more than the 304 of all"):
        search.run_skin_tune(task_of(pack, epochs=2, image_size=16, seed=0), pack, space, tmp_path)
