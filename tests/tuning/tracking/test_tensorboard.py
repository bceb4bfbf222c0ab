"""Event files, read back by TensorBoard itself."""

import json
import pickle
import urllib.request
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray.tune.experiment import Trial
from tensorboard import default, program
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from skin_tune.config import TrialConfig
from skin_tune.errors import ExperimentError
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.tracking.tensorboard_callback import TensorboardCallback, TensorboardExperiment
from skin_tune.tuning.tracking.tensorboard_events import check_tensorboard
from skin_tune.tuning.trial.context import REGION, TRIAL_ID
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import Bucket, PackMaker


class Run:
    """A run of the experiment `exp` below a storage; `killed` ones close nothing."""

    def __init__(self, storage: Path):
        self.paths = RunPaths(storage)
        self.writer = ExperimentWriter(storage, "lip_dryness", "exp")
        self.callback = TensorboardCallback(
            [TensorboardExperiment(self.paths, "lip_dryness", "exp", self.writer)],
        )

    def begin(self, number: int = 0, **config: Any) -> Trial:
        values = TrialConfig.from_mapping({"seed": number, **config}).to_dict()
        trial = Trial("t", config={**values, TRIAL_ID: f"exp-{number:03d}", REGION: "lip_dryness"}, stub=True)
        self.writer.update_trial(trial.config[TRIAL_ID], status="running")
        self.callback.on_trial_start(0, [trial], trial)
        return trial

    def epoch(self, trial: Trial, epoch: int, **metrics: float | None) -> None:
        figures = {"train_loss": 1 / (3 * epoch), "val_balanced_acc": 0.1 * epoch, "images": 50, "val_qwk": None}
        self.writer.add_epoch(trial.config[TRIAL_ID], {"epoch": epoch, **figures, **metrics})
        self.callback.on_trial_result(0, [trial], trial, {"epoch": epoch})

    def end(self, trial: Trial, status: str) -> None:
        self.writer.update_trial(trial.config[TRIAL_ID], status=status, ended_at=now())
        self.callback.on_trial_complete(0, [trial], trial)

    def folder(self, number: int = 0) -> Path:
        return Path(str(self.paths.tensorboard("lip_dryness", "exp", f"exp-{number:03d}")))

    def resumed(self) -> "Run":
        """The next run, once this one was interrupted or killed."""
        self.writer.flush()
        self.writer.close()
        return Run(Path(str(self.paths.storage)))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.callback.close()
    run.writer.close()


def scalars(folder: Path, tag: str) -> dict[int, float]:
    events = EventAccumulator(str(folder)).Reload().Scalars(tag)
    assert len({event.step for event in events}) == len(events), "no step twice"
    return {event.step: event.value for event in events}


def hparams(folder: Path, tag: str) -> HParamsPluginData:
    contents = EventAccumulator(str(folder)).Reload().PluginTagToContent("hparams")
    return HParamsPluginData.FromString(contents[tag])


def test_every_epoch_has_its_metrics_and_a_gap_is_left_out(run: Run):
    trial = run.begin()
    for epoch in (1, 2, 3):
        run.epoch(trial, epoch)
    losses = {epoch: float(np.float32(1 / (3 * epoch))) for epoch in (1, 2, 3)}
    assert scalars(run.folder(), "train_loss") == losses, "also while the trial runs"
    assert scalars(run.folder(), "images") == {1: 50, 2: 50, 3: 50}
    tags = EventAccumulator(str(run.folder())).Reload().Tags()["scalars"]
    assert set(tags) == {"train_loss", "val_balanced_acc", "images"}


def test_hyper_parameters_are_those_that_are_alive(run: Run):
    run.begin(train_loss="focal", gamma=1.5, amp=False, learning_rate=1e-3)
    start = hparams(run.folder(), metadata.SESSION_START_INFO_TAG).session_start_info
    assert start.group_name == "lip_dryness/exp/exp-000"
    values = start.hparams
    assert (values["train_loss"].string_value, values["gamma"].number_value) == ("focal", 1.5)
    assert (values["learning_rate"].number_value, values["amp"].HasField("bool_value")) == (1e-3, True)
    assert "beta" not in values, "focal loss has none"


@pytest.mark.parametrize(("status", "told"), [("stopped_early", "SUCCESS"), ("diverged", "FAILURE")])
def test_the_end_says_whether_a_trial_succeeded(run: Run, status: str, told: str):
    trial = run.begin()
    run.epoch(trial, 1)
    run.end(trial, status)
    end = hparams(run.folder(), metadata.SESSION_END_INFO_TAG).session_end_info
    assert api_pb2.Status.Name(end.status) == f"STATUS_{told}"


def test_a_trial_that_waited_for_a_place_or_was_interrupted_has_no_end(run: Run):
    waiting = Trial("t", config={TRIAL_ID: "exp-001", REGION: "lip_dryness"}, stub=True)
    run.callback.on_trial_complete(0, [waiting], waiting)
    assert not run.folder(1).exists()
    trial = run.begin()
    run.writer.update_trial("exp-000", status="interrupted")
    run.callback.on_trial_complete(0, [trial], trial)
    assert metadata.SESSION_END_INFO_TAG not in EventAccumulator(str(run.folder())).Reload().Tags()["tensors"]


@pytest.mark.parametrize("killed", [False, True])
def test_a_resumed_run_goes_on_without_a_step_twice(killed: bool, tmp_path: Path):
    first = Run(tmp_path)
    trial = first.begin()
    for epoch in (1, 2):
        first.epoch(trial, epoch)
    if not killed:
        first.callback.close()
    second = first.resumed()
    trial = second.begin()
    for epoch in (2, 3):  # a restored trial reports its last epoch again
        second.epoch(trial, epoch)
    second.epoch(trial, 3)  # and so it does where its process died
    assert sorted(scalars(second.folder(), "val_balanced_acc")) == [1, 2, 3]
    events = [event for file in second.folder().iterdir() for event in EventFileLoader(str(file)).Load()]
    assert sum(event.step == 2 for event in events) == 1, "in all files together"
    second.callback.close()
    second.writer.close()


def test_an_epoch_that_was_half_written_is_written_again(tmp_path: Path):
    first = Run(tmp_path)
    trial = first.begin()
    for epoch in (1, 2):
        first.epoch(trial, epoch)
    first.callback.close()
    (file,) = first.folder().iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    second = first.resumed()
    second.epoch(second.begin(), 3)
    assert sorted(scalars(second.folder(), "train_loss")) == [1, 2, 3]
    second.callback.close()
    second.writer.close()


def test_what_ran_without_tensorboard_is_written_once_it_is_resumed_with_it(tmp_path: Path):
    first = Run(tmp_path)
    first.epoch(first.begin(), 1)
    first.callback.close()
    for file in first.folder().iterdir():
        file.unlink()
    second = first.resumed()
    second.epoch(second.begin(learning_rate=1e-3), 2)
    assert sorted(scalars(second.folder(), "train_loss")) == [1, 2]
    assert hparams(second.folder(), metadata.SESSION_START_INFO_TAG).session_start_info.hparams
    second.callback.close()
    second.writer.close()


def test_a_new_trial_does_not_go_on_in_files_of_one_that_was_removed(run: Run, tmp_path: Path):
    older = Run(tmp_path / "older")
    older.epoch(older.begin(), 1, val_balanced_acc=0.9)
    older.callback.close()
    older.writer.close()
    run.folder().parent.mkdir(parents=True)
    older.folder().rename(run.folder())
    run.epoch(run.begin(), 1, val_balanced_acc=0.25)
    assert scalars(run.folder(), "val_balanced_acc") == {1: 0.25}


def test_a_storage_that_is_removed_is_not_made_anew(tmp_path: Path):
    run = Run(tmp_path / "runs")
    run.end(run.begin(0), "completed")
    (tmp_path / "runs").rename(tmp_path / "moved")
    trial = run.begin(1)
    run.epoch(trial, 1)
    run.end(trial, "completed")
    run.writer.close()
    assert not (tmp_path / "runs").exists()


def test_the_hparams_tab_has_a_row_for_each_trial_and_every_hyper_parameter(run: Run, tmp_path: Path):
    configs: list[dict[str, Any]] = [{"train_loss": "ldam"}, {"train_loss": "focal", "gamma": 1.5}]
    for number, config in enumerate(configs):
        trial = run.begin(number, **config)
        run.epoch(trial, 1)
        run.end(trial, "completed")
    board = program.TensorBoard(plugins=default.get_plugins())
    board.configure(argv=[None, "--logdir", str(tmp_path / "tensorboard"), "--load_fast", "false", "--port", "0"])
    url = board.launch()

    def ask(what: str, **request: Any) -> Any:
        body = json.dumps({"experimentName": "", **request}).encode()
        posted = urllib.request.Request(f"{url}data/plugin/hparams/{what}", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(posted, timeout=60) as answer:
            return json.load(answer)

    named = {about["name"] for about in ask("experiment", hparamsLimit=0)["hparamInfos"]}
    assert {"train_loss", "gamma", "beta", "learning_rate"} <= named, "no trial has both gamma and beta"
    metrics = [{"metric": {"tag": "val_balanced_acc", "group": ""}}]
    columns = [{"hparam": "train_loss"}, {"hparam": "gamma"}, *metrics]
    asked = {"allowedStatuses": ["STATUS_SUCCESS"], "colParams": columns, "startIndex": 0, "sliceSize": 10}
    rows = {row["name"]: row for row in ask("session_groups", **asked)["sessionGroups"]}
    assert {name: row["hparams"].get("gamma") for name, row in rows.items()} == {
        "lip_dryness/exp/exp-000": None,
        "lip_dryness/exp/exp-001": 1.5,
    }


def test_the_copy_that_tune_pickles_writes_nothing(run: Run):
    assert vars(pickle.loads(pickle.dumps(run.callback))) == {}


def test_a_bucket_is_refused(bucket: Bucket):
    with pytest.raises(ExperimentError, match=r"writes event files to a folder, and --storage 's3://.*' is a bucket"):
        check_tensorboard(location(f"{bucket.url}/runs"))


def test_a_missing_package_is_named_before_anything_starts(
    make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    found = util.find_spec
    there = "skin_tune.tuning.tracking.tensorboard_events.find_spec"
    monkeypatch.setattr(there, lambda name: None if name == "tensorboard" else found(name))
    small = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=16")
    done = skin_tune_here("tune", make_pack().path, *small, "--storage", tmp_path / "runs", "--tensorboard")
    assert_one_line_error(done, "--tensorboard needs tensorboard", "pip install 'skin-tune[tensorboard]'")
    assert not (tmp_path / "runs").exists()
