"""Whether an experiment that was broken off has come to just what its unbroken twin has."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from skin_tune.results import load_epochs, load_predictions, load_trials
from tests.integration.offline_runs import offline_runs

_OWN = ("seconds", "images_per_second", "checkpoint", "experiment", "started_at", "ended_at", "code_version")
"""What two runs of one search differ in: names, paths, times, and the code where that is edited meanwhile; `trial_id`
is cut down to its number."""


def assert_same(storage: Path, name: str, twin: str) -> int:
    """The store, the models and wandb's files of both are the same to the last bit; how many epochs that are."""
    for load, keys in ((load_trials, []), (load_epochs, ["epoch"]), (load_predictions, ["split", "source"])):
        ours, theirs = (_numbers(load(storage, experiment=one), keys) for one in (name, twin))
        assert not ours.duplicated(["trial_id", *keys]).any()
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    trials = load_trials(storage, experiment=name)
    assert trials["ended_at"].notna().all()
    assert not list(storage.glob(f"experiments/*/{name}/checkpoints/*/last.pt"))
    models = sorted(storage.glob(f"experiments/*/{twin}/checkpoints/*/best.pt"))
    assert len(models) == len(trials)
    for model in models:
        own = model.parents[3] / name / "checkpoints" / f"{name}-{model.parent.name[-3:]}" / "best.pt"
        assert_bits(torch.load(own), torch.load(model))
    return _assert_logged(storage, name)


def assert_checkpoints_are_the_twins(folder: Path, kept: Path) -> int:
    """Each `last.pt` that a kill has left holds what the twin's held after the same epoch; how many there are."""
    files = list(folder.glob("checkpoints/*/last.pt"))
    for file in files:
        state = torch.load(file)
        assert_bits(state, torch.load(kept / f"{file.parent.name[-3:]}-{state['epoch']}.pt"))
    return len(files)


def assert_bits(ours: Any, theirs: Any, where: str = "") -> None:
    """Two checkpoints are the same, tensor by tensor, but for the times in them."""
    assert type(ours) is type(theirs), where
    if isinstance(ours, torch.Tensor):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), where
        assert ours.numpy().tobytes() == theirs.numpy().tobytes(), where
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours.keys() - {"epoch_seconds", "images_per_second"}:
            assert_bits(ours[key], theirs[key], f"{where}/{key}")
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), where
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_bits(one, other, f"{where}/{place}")
    else:
        assert ours == theirs or (math.isnan(ours) and math.isnan(theirs)), where


def _numbers(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    table["trial_id"] = table["trial_id"].str[-3:]
    columns = sorted(column for column in map(str, table) if not column.endswith(_OWN))
    return table.sort_values(["trial_id", *keys])[columns].reset_index(drop=True)


def _assert_logged(storage: Path, name: str) -> int:
    """Each trial is one wandb run that has each epoch of the store once, with the store's numbers, and its end."""
    epochs = load_epochs(storage, experiment=name)
    runs = {run.name: run for run in offline_runs(storage).values() if run.group == name}
    assert len([run for run in offline_runs(storage).values() if run.group == name]) == len(runs)
    assert set(runs) == set(epochs["trial_id"])
    for row in load_trials(storage, experiment=name).to_dict("records"):
        run, recorded = runs[row["trial_id"]], epochs[epochs["trial_id"] == row["trial_id"]].set_index("epoch")
        assert [step["_step"] for step in run.steps] == recorded.index.tolist() == list(range(1, row["epochs"] + 1))
        for step in run.steps:
            for metric, value in recorded.loc[step["epoch"]].items():
                if metric in step and not str(metric).endswith(_OWN):
                    assert step[metric] == value, (row["trial_id"], metric)
        assert run.summary["status"] == row["status"]
        assert run.summary["best_val_balanced_acc"] == row["val_balanced_acc"]
        assert run.exit_code == 0
    return len(epochs)
