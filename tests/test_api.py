"""The Python face: what the commands do, as functions."""

import doctest
import inspect
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import skin_tune
from skin_tune.cli.options import SourceOptions, TuneOptions
from skin_tune.cli.tuning_commands import tune_request as typed_request
from skin_tune.config import checked_overrides, parse_overrides
from skin_tune.data.synthetic.dataset import draw_sample
from skin_tune.errors import SkinTuneError
from skin_tune.results.store.ranking import rank_trials
from skin_tune.tuning.experiment.options import tune_request
from skin_tune.tuning.experiment.request import check_request
from tests.cli_runner import ROOT
from tests.conftest import PackMaker

API = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
NO_OPTIONS = dict.fromkeys((field.name for field in fields(TuneOptions)), None)
SPACE: dict[str, Any] = {
    "method": "random",
    "metric": {"name": "val_macro_f1", "goal": "maximize"},
    "parameters": {"learning_rate": {"min": 1.0e-4, "max": 1.0e-2}, "gamma": {"values": [0.5, 1.0]}},
}


def test_importing_it_loads_nothing_and_names_load_what_they_need():
    script = (
        "import sys, skin_tune; heavy = {'numpy', 'pandas', 'pyarrow', 'torch', 'ray', 'typer'};"
        "print(sorted(heavy & set(sys.modules)), set(skin_tune.__all__) <= set(dir(skin_tune)));"
        "skin_tune.prepare, skin_tune.tune, skin_tune.report; print(sorted({'torch', 'ray'} & set(sys.modules)));"
        "from skin_tune import *; print(callable(compare))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[] True", "[]", "True"]


def test_a_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skin_tune' has no attribute 'tuen'"):
        skin_tune.tuen  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'tuen'"):
        exec("from skin_tune import tuen")


@pytest.mark.parametrize(
    ("function", "options", "besides", "left_out"),
    [
        (skin_tune.prepare, SourceOptions, {"sources", "region", "out"}, set()),
        (skin_tune.tune, TuneOptions, {"pack", "overrides"}, {"price_per_gpu_hour"}),
    ],
)
def test_keywords_are_the_options_of_the_command(
    function: Callable[..., object], options: type, besides: set[str], left_out: set[str]
):
    keywords = inspect.signature(function).parameters
    own = {field.name: field.default for field in fields(options) if field.name not in left_out}
    assert set(keywords) == besides | set(own)
    for name, default in own.items():
        assert str(keywords[name].default) == str(default), name


def test_python_and_the_command_line_make_one_request(tmp_path: Path):
    pack, words = tmp_path / "pack.arrow", ["epochs=3", "backbone=resnet18"]
    given: dict[str, Any] = {"name": "exp", "trials": 4, "seed": 0, "time_budget": "2m", "warm_start": ["cheek_pore"]}
    typed = typed_request(pack, "lip_dryness", words, TuneOptions(storage=tmp_path, **given))
    options = {**NO_OPTIONS, **given, "storage": tmp_path, "resume": False}
    assert tune_request(pack, "lip_dryness", parse_overrides(words), options) == typed
    assert tune_request(pack, "lip_dryness", parse_overrides(words), {**options, "time_budget": 120.0}) == typed


def test_a_space_may_be_a_dict_with_what_its_file_would_hold(tmp_path: Path):
    file = tmp_path / "space.yaml"
    file.write_text(
        "method: random\nmetric: {name: val_macro_f1, goal: maximize}\n"
        "parameters: {learning_rate: {min: 1.0e-4, max: 1.0e-2}, gamma: {values: [0.5, 1.0]}}\n"
    )
    options = {**NO_OPTIONS, "storage": tmp_path, "resume": False}
    overrides = {"gamma": 2.0, "epochs": 3}
    read, given = (tune_request(Path(), "", overrides, options | {"space": space}) for space in (file, SPACE))
    assert check_request(given) == check_request(read)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"overrides": {"epochz": 3}}, "'epochz' is not a hyper-parameter; did you mean 'epochs'?"),
        ({"overrides": {"epochs": 0.5}}, "epochs=0.5 is not a whole number"),
        ({"space": {"method": "random"}}, "space: parameters is missing"),
        ({"space": SPACE | {"methd": 1}}, "space: methd is not a key used here; did you mean method?"),
        ({"space": "nowhere.yaml"}, "nowhere.yaml"),
        ({"trials": 0}, "--trials 0 is below 1"),
        ({"time_budget": "soon"}, "'soon' is not a duration such as 45s"),
        ({"time_budget": 0}, "--time-budget 0 is not above 0 seconds"),
        ({"wandb": "on line"}, "on line"),
        ({"name": "a/b"}, "'a/b' may hold only letters"),
        ({"resume": True, "name": "exp"}, "there is no experiment 'exp' of lip_dryness"),
        ({"warm_start": "cheek_pore"}, "cheek_pore"),
        ({"pack": "nowhere.arrow"}, "'nowhere.arrow' does not exist"),
        ({"pack": None}, "tune needs a pack, or the name of an experiment to resume"),
        ({"pack": "ftp://lab/pack.arrow"}, "neither a path nor of the form s3://"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(
    keywords: dict[str, Any], said: str, make_pack: PackMaker, tmp_path: Path
):
    small = {"backbone": "resnet18", "weights": "none", "image_size": 32, "batch_size": 16}
    whole = {"pack": make_pack().path, "space": SPACE, "overrides": small, "storage": str(tmp_path / "runs")}
    with pytest.raises(SkinTuneError) as caught:
        skin_tune.tune(**whole | keywords)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_overrides_may_be_numpy_s_numbers():
    overrides = checked_overrides({"epochs": np.int64(3), "learning_rate": np.float32(0.5)})
    assert overrides == {"epochs": 3, "learning_rate": 0.5}
    assert [type(value) for value in overrides.values()] == [int, float]


def draw_folders(root: Path, images: dict[str, int], seed: int) -> None:
    """Class folders with so many images each; every image is another one."""
    rng = np.random.default_rng(seed)
    for name, count in images.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{seed}-{name}-{number}.png")


def test_sources_and_classes_may_be_one_or_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    draw_folders(tmp_path / "one", {"mild": 6, "none": 6, "other": 2}, seed=1)
    draw_folders(tmp_path / "two", {"mild": 2}, seed=2)
    [ordered] = skin_tune.prepare("one", "acne", size=16, out="a", classes=["none", "mild"], split="50/25/25")
    assert ordered.info is not None
    assert (ordered.info.classes, ordered.info.split_ratios) == (["none", "mild"], [50, 25, 25])
    [named] = skin_tune.prepare([Path("one"), "two"], "acne", size=16, out="b", classes="none,mild")
    assert named.info is not None
    assert sum(sum(counts.values()) for counts in named.info.counts.values()) == 14
    for wrong, said in (({"split": "60"}, "split '60'"), ({"classes": ["mild"]}, "--classes 'mild'")):
        with pytest.raises(SkinTuneError, match=said):
            skin_tune.prepare("one", "acne", out="c", **wrong)
    with pytest.raises(SkinTuneError, match="'nowhere' does not exist"):
        skin_tune.prepare("nowhere", "acne")
    assert not (tmp_path / "c").exists()


def test_docs_api_is_what_the_docstrings_say():
    assert (ROOT / "docs" / "api.md").read_text() == API["page"](), "python docs/make_api.py writes it anew"
    assert set(API["FUNCTIONS"]) == set(skin_tune.__all__) - {"__version__"}


def test_the_examples_of_docs_api_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    draw_sample(tmp_path / "sample", subjects=21)
    text = (ROOT / "docs" / "api.md").read_text().replace("```", "")
    example = doctest.DocTestParser().get_doctest(text, {}, "docs/api.md", "docs/api.md", 0)
    said: list[str] = []
    ran = doctest.DocTestRunner(verbose=False).run(example, out=said.append, clear_globs=False)
    assert not ran.failed, "".join(said)
    assert ran.attempted >= 20
    assert example.globs["model"].network.training is False

    from ray import is_initialized

    assert not is_initialized()  # as it was before
    check_outcome(example.globs["outcome"])
    assert "\x1b" not in "".join(capfd.readouterr())


def check_outcome(outcome: Any) -> None:
    """Its dataframe is that of the store, best first, and so is that of the experiment resumed with nothing to run."""
    stored = rank_trials(Path("runs"), experiment="first")
    pd.testing.assert_frame_equal(outcome.trials, stored)
    again = skin_tune.tune(name="first", resume=True)
    assert again.seconds is None
    pd.testing.assert_frame_equal(again.trials, stored)
    more = skin_tune.tune(name="first", resume=True, trials=3)  # a second Ray in one process
    assert more.trials["status"].tolist() == ["completed"] * 3
    with pytest.raises(SkinTuneError, match="no trial of region 'lip_dryness' experiment 'other'"):
        skin_tune.compare("runs", "lip_dryness", "other")
