"""Event files of a run that was killed and resumed say what its store says."""

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from skin_tune.results import load_epochs, load_trials
from skin_tune.tuning.experiment.spec import read_spec
from tests.cli_runner import ONE_PROCESS, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.processes import start, wait_for_epochs

SPACE = """
method: grid
parameters:
  learning_rate: {values: [1.0e-3, 1.0e+30]}
  optimizer: {value: sgd}
  epochs: {value: 3}
"""
SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=42", "oversample=none", "warmup_epochs=0")


@pytest.mark.usefixtures("shared_cluster")
def test_every_trial_is_a_tensorboard_run_that_says_what_the_store_says(tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow"), tmp_path / "runs"
    (tmp_path / "space.yaml").write_text(SPACE)
    where = ("--space", tmp_path / "space.yaml", "--storage", storage, "--name", "exp", *ONE_PROCESS)
    process = start("tune", *map(str, (pack.path, *SMALL, *where, "--tensorboard")))
    wait_for_epochs(storage, "exp", 1)
    process.kill()
    process.wait()
    assert read_spec(storage / "experiments" / "lip_dryness" / "exp" / "asked.json").noted["flags"]["tensorboard"]
    done = skin_tune_here("tune", "--storage", storage, "--name", "exp", "--resume")
    assert done.returncode == 0, done.stderr

    trials, epochs = load_trials(storage).set_index("trial_id"), load_epochs(storage)
    runs = {folder.name: folder for folder in (storage / "tensorboard" / "lip_dryness" / "exp").iterdir()}
    assert set(runs) == set(trials.index) == {"exp-000", "exp-001"}
    for name, folder in runs.items():
        events = EventAccumulator(str(folder)).Reload()
        stored = epochs[epochs["trial_id"] == name].set_index("epoch")
        for tag in ("train_loss", "val_balanced_acc", "learning_rate", "images"):
            told = [(event.step, event.value) for event in events.Scalars(tag)] if len(stored) else []
            assert told == [(epoch, float(np.float32(value))) for epoch, value in stored[tag].items()], (name, tag)
        content = events.PluginTagToContent("hparams")[metadata.SESSION_START_INFO_TAG]
        told = HParamsPluginData.FromString(content).session_start_info.hparams
        config = trials.loc[name].filter(like="config/")
        assert {f"config/{key}" for key in told} == set(config.dropna().index)
        assert told["learning_rate"].number_value == trials.loc[name, "config/learning_rate"]
    assert trials.loc["exp-001", "status"] == "diverged"
