"""A checkpoint comes from anybody: each entry is checked before it is used, and no code of the file runs."""

import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.errors import CheckpointError, SkinTuneError, WeightsError
from skin_tune.inference.model_file import load_model
from skin_tune.model.network import load_weights
from skin_tune.training.checkpoint import load_checkpoint, load_run, save_checkpoint
from skin_tune.training.trainer import Trainer
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.models import write_model

State = dict[str, Any]
Change = Callable[[State], object]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return write_synthetic_pack(tmp_path_factory.mktemp("pack") / "pack.arrow", size=16)


@pytest.fixture(scope="module")
def trained(pack: Pack) -> Trainer:
    values = {"backbone": "resnet18", "weights": "none", "image_size": 16, "batch_size": 16, "epochs": 1}
    trainer = Trainer(TrialConfig.from_mapping(values), pack)
    trainer.run_epoch()
    return trainer


@pytest.fixture(scope="module")
def run(trained: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A last.pt, its best.pt beside it."""
    last = tmp_path_factory.mktemp("run") / "last.pt"
    save_checkpoint(last, {**trained.state_dict(), "name": "r"})
    save_checkpoint(last.with_name("best.pt"), trained.model_state())
    return last


def changed(trained: Trainer, change: Change) -> State:
    """A run's state with something else in it; its tensors are shared."""
    state: State = _copied({"format_version": 1, **trained.state_dict(), "name": "r"})
    change(state)
    return state


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return list(map(_copied, value)) if isinstance(value, list) else value


def without_tensors(state: State) -> State:
    """What is small, in place of a hundred megabytes."""
    return {**state, **{name: {} for name in ("model", "optimizer") if isinstance(state.get(name), dict)}}


def put(*keys: Any, to: Any) -> Change:
    """Put a value where `keys` lead."""

    def change(state: State) -> None:
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = to

    return change


def drop(key: str) -> Change:
    return lambda state: state.pop(key)


def test_what_training_leaves_is_read_back(run: Path, pack: Pack):
    assert load_run(run)["epoch"] == 1
    assert load_model(run).classes == pack.classes
    assert load_model(run.with_name("best.pt")).crop_size == 16


def test_entries_of_a_later_version_are_not_looked_at(trained: Trainer, tmp_path: Path):
    state = changed(trained, put("tau", to={"x": [torch.zeros(3)]}))
    torch.save(without_tensors(state), tmp_path / "last.pt")
    assert load_run(tmp_path / "last.pt")["epoch"] == 1


nan = float("nan")
ENTRIES = [
    (put("format_version", to=True), "format version True"),
    (put("format_version", to=torch.ones(3)), "format version a Tensor"),
    (put("format_version", to=[1]), r"format version \[1\]"),
    (put("config", to=None), "config is None"),
    (put("config", to={"backbone": "resnet18", 5: 6}), "config is"),
    (put("config", "learning_rate", to=torch.ones(1)), "config is"),
    (put("config", "learning_rate", to=-1.0), "learning_rate=-1.0 is outside"),
    (put("config", "batch_size", to=10**300), "batch_size"),
    (put("config", "colour", to="red"), "'colour' is not a hyper-parameter"),
    (put("classes", to=[0, 1, 2]), "class 0 is not a text"),
    (put("classes", to="012"), "classes '012' are not a list"),
    (put("classes", to=["0", "1", "1"]), "class '1' is there twice"),
    (put("classes", to=["0", "1", "\x1b[31m"]), "has control characters"),
    (put("classes", to=["only"]), "there are 1 classes"),
    (put("classes", to=list(map(str, range(100_000)))), "there are 100000 classes, not 2 to 1000"),
    (put("region", to="../../x"), "region '../../x'"),
    (put("region", to=["lip_dryness"]), "region"),
    (put("pack_id", to="../x"), "pack_id '../x'"),
    (put("pack_id", to=5), "pack_id 5"),
    (put("pack_size", to=10**9), "pack_size 1000000000"),
    (put("pack_size", to="16"), "pack_size '16'"),
    (put("metric", to="val_loss"), "metric 'val_loss'"),
    (put("metric", to=[1]), "metric"),
    (put("epoch", to="two"), "epoch 'two'"),
    (put("epoch", to=-1), "epoch -1"),
    (put("epoch", to=nan), "epoch nan"),
]


@pytest.mark.parametrize(("change", "said"), ENTRIES)
def test_each_entry_holds_what_it_can_hold(trained: Trainer, tmp_path: Path, change: Change, said: str):
    path = tmp_path / "last.pt"
    torch.save(without_tensors(changed(trained, change)), path)
    with pytest.raises(CheckpointError, match=said) as caught:
        load_checkpoint(path)
    assert repr(str(path)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", ["config", "classes", "region", "pack_id", "model"])
def test_a_model_cannot_do_without(trained: Trainer, tmp_path: Path, entry: str):
    torch.save(without_tensors(changed(trained, drop(entry))), tmp_path / "best.pt")
    with pytest.raises(CheckpointError, match=f"holds no model that this program can use: it has no {entry}"):
        load_model(tmp_path / "best.pt")


WEIGHT = "fc.1.weight"
TENSORS = [
    (put("model", to=[]), r"model is \[\]"),
    (put("model", WEIGHT, to=torch.zeros(7, 512)), r"is a tensor \[7, 512\] of torch.float32, not \[3, 512\]"),
    (put("model", WEIGHT, to=torch.zeros(1).expand(3, 10**12)), r"is a tensor \[3, 1000000000000\]"),
    (put("model", WEIGHT, to=torch.zeros(3, 512).double()), "of torch.float64, not"),
    (put("model", WEIGHT, to=torch.zeros(3, 512).to_sparse()), "fc.1.weight is a tensor"),
    (put("model", WEIGHT, to=[[0.0] * 512] * 3), "fc.1.weight is .* not a tensor"),
    (put("model", "fc.9.weight", to=torch.zeros(3)), "model has a tensor 'fc.9.weight', unlike"),
    (lambda state: state["model"].pop("conv1.weight"), "model has no tensor 'conv1.weight'"),
    (put("config", "backbone", to="resnet50"), "model has"),
    (
        lambda state: state.update(classes=["0", "1"], prior=[0.5, 0.5]),
        r"is a tensor \[3, 512\] of torch.float32, not \[2, 512\]",
    ),
]


@pytest.mark.parametrize(("change", "said"), TENSORS)
def test_tensors_are_those_of_a_network_of_its_config(trained: Trainer, tmp_path: Path, change: Change, said: str):
    state = changed(trained, change)
    state["optimizer"] = {}
    torch.save(state, tmp_path / "best.pt")
    with pytest.raises(CheckpointError, match=said):
        load_model(tmp_path / "best.pt")


def of_parameter(name: str, value: Any) -> Change:
    return put("optimizer", "state", 0, name, to=value)


RUNS = [
    *((drop(entry), f"it has no {entry}") for entry in ("metric", "epoch", "best_epoch", "best_metrics", "history")),
    (put("epoch", to=7), "its history is of 1 epochs, and it is of epoch 7"),
    (put("history", to="long"), "history is 'long'"),
    (put("history", to=[5]), "history is 5, not the metrics of an epoch"),
    (put("history", 0, "epoch", to="1"), "not the metrics of an epoch"),
    (put("history", 0, "trial_id", to=1.0), "history: 'trial_id' is no metric"),
    (put("best_metrics", "tri\x1bal", to=1.0), r"best_metrics: 'tri\\x1bal' is no metric"),
    (put("history", 0, "val_loss", to="low"), "val_loss='low' is not a number"),
    (put("history", 0, "val_loss", to=10**30), "is not a number"),
    (put("history", 0, "val_loss", to=True), "val_loss=True is not a number"),
    (put("best_epoch", to=2), "best_epoch 2 is none of its 1 epochs"),
    (put("best_metrics", to=[]), r"best_metrics is \[\]"),
    (lambda state: state["best_metrics"].pop("val_balanced_acc"), "best_metrics lack val_balanced_acc"),
    (put("name", to="../../x"), "experiment name '../../x'"),
    (put("name", to=5), "experiment name 5"),
    (put("optimizer", to=5), "optimizer is 5"),
    (put("optimizer", "param_groups", to=[]), "optimizer is of other parameters"),
    (put("optimizer", "state", to=[]), "not the state of one"),
    (put("optimizer", "state", 999, to={}), "a state of 999"),
    (of_parameter("exp_avg", torch.zeros(5)), r"exp_avg of parameter 0 is a tensor \[5\]"),
    (of_parameter("step", torch.zeros(5)), r"step of parameter 0 is a tensor \[5\]"),
    (of_parameter("step", "one"), "step of parameter 0 is 'one'"),
    (lambda state: state["optimizer"]["state"][0].pop("exp_avg"), "a state of 0 that is none of exp_avg"),
    *TENSORS[1:4],
]


@pytest.mark.parametrize(("change", "said"), RUNS)
def test_a_run_goes_on_only_from_what_it_could_have_left(trained: Trainer, change: Change, said: str):
    before = trained.epoch, trained.network.fc[1].weight.clone()
    with pytest.raises(CheckpointError, match=said):
        trained.load_state_dict(changed(trained, change))
    assert trained.epoch == before[0]
    assert torch.equal(trained.network.fc[1].weight, before[1])


def test_a_run_goes_on_from_what_it_left(trained: Trainer):
    left = changed(trained, lambda state: None)
    with torch.no_grad():
        for parameter in trained.network.parameters():
            parameter.zero_()
    trained.load_state_dict(left)
    assert trained.epoch == left["epoch"] > 0
    assert all(torch.equal(value, left["model"][name]) for name, value in trained.network.state_dict().items())


@pytest.fixture(scope="module")
def averaged(pack: Pack) -> Trainer:
    """A run that keeps a moving average."""
    values = {"backbone": "resnet18", "weights": "none", "image_size": 16, "batch_size": 16, "epochs": 1}
    return Trainer(TrialConfig.from_mapping({**values, "ema_decay": 0.9}), pack)


AVERAGES = [
    (drop("raw_model"), "it has no raw_model"),
    (drop("ema_steps"), "it has no ema_steps"),
    (put("raw_model", to=5), "raw_model is 5, not tensors"),
    (put("raw_model", WEIGHT, to=torch.zeros(7, 512)), r"raw_model: fc.1.weight is a tensor \[7, 512\]"),
    (lambda state: state["raw_model"].pop("conv1.weight"), "raw_model has no tensor 'conv1.weight'"),
    (put("ema_steps", to=-1), "ema_steps -1 is not a whole number"),
    (put("ema_steps", to=torch.ones(3)), "ema_steps a Tensor"),
]


@pytest.mark.parametrize(("change", "said"), AVERAGES)
def test_a_run_with_an_average_goes_on_only_from_both_of_its_networks(averaged: Trainer, change: Change, said: str):
    assert averaged.average is not None
    before = averaged.average.steps, averaged.network.fc[1].weight.clone()
    with pytest.raises(CheckpointError, match=said):
        averaged.load_state_dict(changed(averaged, change))
    assert averaged.average.steps == before[0]
    assert torch.equal(averaged.network.fc[1].weight, before[1])


def test_a_run_without_an_average_is_not_one_with_it(trained: Trainer, averaged: Trainer):
    with pytest.raises(CheckpointError, match=r"the checkpoint is of ema_decay=0, not 0.9"):
        averaged.load_state_dict(changed(trained, lambda state: None))
    with pytest.raises(CheckpointError, match=r"the checkpoint is of ema_decay=0.9, not 0"):
        trained.load_state_dict(changed(averaged, lambda state: None))


def test_settings_of_the_optimiser_are_the_config_s_own(trained: Trainer):
    def change(state: State) -> None:
        for group in state["optimizer"]["param_groups"]:
            group |= {"maximize": True, "betas": (0.0, 0.0), "eps": 5.0, "surprise": "x"}

    own = [dict(group) for group in trained.optimizer.state_dict()["param_groups"]]
    trained.load_state_dict(changed(trained, change))
    assert trained.optimizer.state_dict()["param_groups"] == own


@pytest.mark.parametrize(
    ("change", "said"), [(put("name", to="../../x"), "'../../x'"), (put("region", to="../x"), "'../x'")]
)
def test_resuming_what_was_tampered_with_leaves_nothing_behind(
    trained: Trainer, pack: Pack, tmp_path: Path, change: Change, said: str
):
    torch.save(without_tensors(changed(trained, change)), tmp_path / "last.pt")
    command = ("train", pack.path, "epochs=2", "--resume", tmp_path / "last.pt", "--storage", tmp_path / "runs")
    assert_one_line_error(skin_tune_here(*command), "last.pt", said)
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_the_best_model_beside_a_checkpoint_is_looked_at_before_a_run_goes_on_elsewhere(
    run: Path, pack: Pack, tmp_path: Path
):
    last = tmp_path / "last.pt"
    last.write_bytes(run.read_bytes())
    command = ("train", pack.path, "epochs=2", "--resume", last, "--storage", tmp_path / "runs")
    assert_one_line_error(skin_tune_here(*command), "best.pt", "does not exist")
    (tmp_path / "best.pt").write_text("hello")
    assert_one_line_error(skin_tune_here(*command), "best.pt", "is not a checkpoint")
    assert not (tmp_path / "runs").exists()
    (tmp_path / "best.pt").write_bytes(run.with_name("best.pt").read_bytes())
    assert skin_tune_here(*command).returncode == 0


class _Harmful:
    """Runs a command as it is unpickled."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def test_a_file_that_would_run_code_is_refused_in_our_words(pack: Pack, tmp_path: Path):
    mark = tmp_path / "ran"
    torch.save({"format_version": 1, "x": _Harmful(f"touch {mark}")}, tmp_path / "zip.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(_Harmful(f"touch {mark}")))
    for name in ("zip.pt", "plain.pt"):
        done = skin_tune_here("evaluate", tmp_path / name, pack.path, "--storage", tmp_path / "runs")
        assert_one_line_error(done, name, "which could run code", "only those that skin-tune has written are read")
        for word in ("torch", "weights_only", "Unsupported", "WeightsUnpickler"):
            assert word not in done.stderr
        with pytest.raises(WeightsError, match=r"not a plain PyTorch state dict: .* could run code"):
            load_weights(str(tmp_path / name), "resnet18")
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\3\4", b"\x80\x02.", bytes(2000)])
def test_a_file_of_another_kind_is_no_checkpoint(tmp_path: Path, content: bytes):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "x.pt")


def test_a_zip_file_of_other_things_is_no_checkpoint(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "x.pt")


@pytest.mark.timeout(30)
def test_what_is_no_regular_file_hangs_nothing(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.pt")
    for path in (tmp_path / "pipe.pt", Path("/dev/zero"), tmp_path):
        with pytest.raises(CheckpointError, match="is not a regular file"):
            load_checkpoint(path)
        with pytest.raises(WeightsError, match="nor a file"):
            load_weights(str(path), "resnet18")
    with pytest.raises(CheckpointError, match="does not exist"):
        load_checkpoint(tmp_path / ("n" * 300))


@pytest.mark.timeout(120)
def test_classes_without_end_keep_nobody_busy(trained: Trainer, pack: Pack, tmp_path: Path):
    image = tmp_path / "a.png"
    Image.fromarray(np.asarray(pack.images[0])).save(image)
    for count, said in ((10_000_000, "20 MB of names and plain values"), (1001, "1001 classes, not 2 to 1000")):
        path = tmp_path / "m.pt"
        torch.save(without_tensors(changed(trained, put("classes", to=["x"] * count))), path)
        for command in (("evaluate", path, pack.path, "--split", "val"), ("predict", path, image), ("export", path)):
            assert_one_line_error(skin_tune_here(*command), "m.pt", said)


def test_lists_that_hold_themselves_a_billion_times_are_told_in_one_line(tmp_path: Path):
    nested: Any = ["lol"]
    for _ in range(40):
        nested = [nested] * 10
    torch.save({"format_version": 1, "classes": nested, "config": {"a": nested}}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "x.pt")
    assert len(str(caught.value)) < 1000


tensors = st.sampled_from(
    [
        torch.zeros(2),
        torch.zeros(0, dtype=torch.complex64),
        torch.ones(2, 2, dtype=torch.bool),
        torch.zeros(1).expand(10**12),
        torch.eye(2).to_sparse(),
        torch.zeros(2, device="meta"),
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | tensors,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)
ENTRY_NAMES = (
    *("format_version", "config", "classes", "region", "pack_id", "pack_size", "metric", "epoch", "name"),
    *("model", "optimizer", "best_epoch", "best_metrics", "history", "raw_model", "ema_steps", "new"),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=anything | st.dictionaries(st.sampled_from(ENTRY_NAMES), anything, max_size=5), version=st.booleans())
@example(content={"history": [{"epoch": 1, ("a",): 2}]}, version=True)
def test_nothing_but_a_skin_tune_error_leaves_load_checkpoint(tmp_path: Path, content: Any, version: bool):
    if version and isinstance(content, dict):
        content = {"format_version": 1, **content}
    torch.save(content, tmp_path / "x.pt")
    for load in (load_checkpoint, load_run, load_model):
        with suppress(SkinTuneError):
            load(tmp_path / "x.pt")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(st.sampled_from(ENTRY_NAMES), anything, min_size=1, max_size=2), part=st.booleans())
def test_nothing_but_a_skin_tune_error_leaves_a_run_that_goes_on(trained: Trainer, values: State, part: bool):
    def change(state: State) -> None:
        for name, value in values.items():
            if part and isinstance(state.get(name), dict):
                state[name][next(iter(state[name]))] = value
            else:
                state[name] = value

    with suppress(SkinTuneError):
        trained.load_state_dict(changed(trained, change))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_but_a_skin_tune_error_leaves_a_damaged_file(pack: Pack, tmp_path: Path, data: st.DataObject):
    if not (tmp_path / "whole.pt").exists():
        torch.save({"format_version": 1, "classes": ["0", "1"], "epoch": 1, "x": torch.zeros(9)}, tmp_path / "whole.pt")
    content = bytearray((tmp_path / "whole.pt").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "x.pt").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(SkinTuneError):
        load_checkpoint(tmp_path / "x.pt")


def test_a_model_of_another_clinic_is_taken(pack: Pack, tmp_path: Path):
    path = write_model(tmp_path / "best.pt", pack)
    assert load_model(path).region == "lip_dryness"
