"""What an experiment was started with is read back as it was written, or refused by name."""

import json
from pathlib import Path

import pytest

from skin_tune.errors import ExperimentError
from skin_tune.results.store.notes import wrong_spec
from skin_tune.tuning.experiment.spec import read_spec
from tests.special_files import pipe

pytestmark = pytest.mark.timeout(120)


NOTED = {
    "flags": {"trials": 3, "time_budget": None, "wandb": "offline", "warm_start": ["one"], "tensorboard": True},
    "overrides": {"epochs": 2},
}


ASKED = {
    "pack": "p.arrow",
    "pack_id": "p",
    "seed": 0,
    "trials": 1,
    "metric": "val_macro_f1",
    "warm_start": [],
    "space": {},
    "counts": {"train": {"0": 3, "1": 4}},
}


def test_what_an_experiment_was_asked_for_is_read_back_or_named(tmp_path: Path):
    path = tmp_path / "asked.json"
    path.write_text(json.dumps(ASKED))
    assert read_spec(path).metric == "val_macro_f1"
    assert wrong_spec(ASKED) == ""
    assert wrong_spec({**ASKED, "metric": 5}) == "metric"
    older = {name: value for name, value in ASKED.items() if name != "counts"}
    path.write_text(json.dumps(older))
    assert read_spec(path).counts == {}
    path.write_text(json.dumps({**ASKED, "noted": NOTED, "target": 0.5}))
    assert read_spec(path).noted == NOTED
    for name, value in [
        *[("warm_start", [5]), ("noted", 5), ("noted", {"flags": {"trials": "many"}}), ("target", "high")],
        *[("noted", {"flags": {"warm_start": "x"}}), ("noted", {"flags": {"tensorboard": "x"}})],
        *[("noted", {"overrides": {"epochs": []}})],
        *[("metric", ["x"]), ("pack", 5), ("seed", True), ("space", []), ("warm_start", "x"), ("unknown", 1)],
        *[("counts", {"train": 5}), ("counts", {"val": {}}), ("counts", {"train": {"0": "many"}})],
    ]:
        path.write_text(json.dumps({**ASKED, name: value}))
        with pytest.raises(ExperimentError, match=r"asked.json' is not what this program writes"):
            read_spec(path)
    for text in ("", "[" * 100_000, "[1]", json.dumps({"pack": "x"})):
        path.write_text(text)
        with pytest.raises(ExperimentError, match="is not what this program writes"):
            read_spec(path)
    with pytest.raises(ExperimentError, match="is not what this program writes"):
        read_spec(pipe(path))
