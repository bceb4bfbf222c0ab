"""What `tune` was asked for, as far as no pack is needed to judge it."""

import math
import re
from pathlib import Path
from typing import Any

import pytest

from skin_tune.errors import ExperimentError
from skin_tune.tuning.experiment.request import TuneRequest, check_request, parse_duration
from skin_tune.tuning.space.parameters import Parameter, Space


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("45s", 45), ("30m", 1800), ("2h", 7200), ("1h30m", 5400)])
def test_time_budgets_are_read(text: str, seconds: float):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "2d", "h", "-5m", "1.5h", "m30"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ExperimentError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"concurrent": 0}, "--concurrent 0 is below 1"),
        ({"workers_per_trial": 0}, "--workers-per-trial 0 is below 1"),
        ({"max_failures": -1}, "--max-failures -1 is below 0"),
        ({"keep_checkpoints": 0}, "--keep-checkpoints 0 is below 1"),
        ({"trials": 0}, "--trials 0 is below 1"),
        ({"gpu_hours": 0.0}, "--gpu-hours 0 is not above 0"),
        ({"image_budget": 0}, "--image-budget 0 is below 1"),
        ({"gpu_hours": math.nan}, "--gpu-hours nan is not above 0"),
        ({"wandb": "on"}, "--wandb 'on' is not one of online, offline, disabled"),
        ({"name": "a/b"}, "experiment name 'a/b' may hold only"),
        ({"until": "best"}, "--until 'best' is neither settled nor end"),
        ({"resume": True}, "--resume needs the --name of the experiment"),
    ],
)
def test_what_cannot_be_is_refused_whatever_the_pack_holds(changes: dict[str, Any], said: str):
    space = Space("random", "val_balanced_acc", ())
    check_request(TuneRequest(Path("no pack"), space, name="exp", max_failures=0))
    with pytest.raises(ExperimentError, match=re.escape(said)):
        check_request(TuneRequest(Path("no pack"), space, **changes))


def test_a_grid_is_tried_as_a_whole_and_starts_from_no_sibling():
    space = Space("grid", "val_balanced_acc", (Parameter("gamma", "categorical", (0.5, 1.0)),))
    with pytest.raises(ExperimentError, match="--warm-start needs a space of method bayes or random"):
        check_request(TuneRequest(Path("no pack"), space, warm_start=["other"]))
    with pytest.raises(ExperimentError, match="--until settled needs a space of method bayes or random"):
        check_request(TuneRequest(Path("no pack"), space, until="settled"))
