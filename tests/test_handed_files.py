"""Pipes, devices and files of other kinds, in the places of files that commands read: one line, and no waiting."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from skin_tune.data.pack.uses import note_use, uses_of
from skin_tune.errors import ExperimentError, SpaceError, StoreError
from skin_tune.results.report import write_report
from skin_tune.results.store.notes import read_note, wrong_facts, wrong_spec
from skin_tune.storage.run_paths import RunPaths, pack_uses
from skin_tune.tuning.experiment.spec import read_spec
from skin_tune.tuning.search.optuna_journal import Journal
from skin_tune.tuning.search.warm_start import chosen_once
from skin_tune.tuning.space.sweep_file import load_space
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker, write_synthetic_pack
from tests.results.report.report_store import write_refit, write_trials

pytestmark = pytest.mark.timeout(120)


def pipe(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def test_a_space_is_a_regular_file(tmp_path: Path, make_pack: PackMaker):
    for path in (pipe(tmp_path / "space.yaml"), Path("/dev/zero"), tmp_path):
        with pytest.raises(SpaceError, match="is not a regular file"):
            load_space(path)
    done = skin_tune_here("tune", make_pack().path, "--space", tmp_path / "space.yaml", "--storage", tmp_path / "runs")
    assert_one_line_error(done, "space.yaml", "is not a regular file")
    done = skin_tune_here("tune", make_pack().path, "weights=/dev/zero", "--storage", tmp_path / "runs")
    assert_one_line_error(done)
    assert not (tmp_path / "runs").exists()


def test_notes_beside_a_pack_may_be_anything(tmp_path: Path):
    pack = write_synthetic_pack(tmp_path / "packs" / "acne-32.arrow", region="acne")
    note_use(pack, RunPaths(tmp_path / "runs"), "sound")
    notes = pack_uses(pack.path)
    pipe(notes / "pipe.json")
    (notes / "deep.json").write_text("[" * 100_000)
    (notes / "list.json").write_text("[1]")
    for number, name in enumerate((["x"], 5, "../../x", "\x1b[31m")):
        note = {"experiment": name, "storage": str(tmp_path), "pack_id": pack.info.pack_id}
        (notes / f"other{number}.json").write_text(json.dumps(note))
    assert uses_of(pack.path, "acne", pack.info.pack_id) == [f"sound (in {tmp_path / 'runs'})"]


NOTED = {
    "flags": {"trials": 3, "time_budget": None, "wandb": "offline", "warm_start": ["one"]},
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
    older = {name: value for name, value in ASKED.items() if name != "counts"}
    path.write_text(json.dumps(older))
    assert read_spec(path).counts == {}
    path.write_text(json.dumps({**ASKED, "noted": NOTED, "target": 0.5}))
    assert read_spec(path).noted == NOTED
    for name, value in [
        *[("warm_start", [5]), ("noted", 5), ("noted", {"flags": {"trials": "many"}}), ("target", "high")],
        *[("noted", {"flags": {"warm_start": "x"}}), ("noted", {"overrides": {"epochs": []}})],
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


def test_a_journal_of_a_search_is_a_regular_file(tmp_path: Path):
    with pytest.raises(StoreError, match="is not a regular file"):
        Journal(pipe(tmp_path / "search.log"))
    assert Journal(tmp_path / "new.log").file == tmp_path / "new.log"


def test_configs_to_try_first_are_read_back_or_named(tmp_path: Path):
    file = tmp_path / "warm_start.json"
    file.write_text(json.dumps([{"learning_rate": 0.5, "gamma": 1}]))
    assert chosen_once(file, list) == [{"learning_rate": 0.5, "gamma": 1}]
    for text in ('[{"a": 2}]', '[{"a": "x"}]', "[[1]]", '{"a": 1}', "5", "[" * 100_000, "x", '[{"a": NaN}]'):
        file.write_text(text)
        with pytest.raises(ExperimentError, match=r"warm_start.json' is not what this program writes"):
            chosen_once(file, list)


def test_a_report_leaves_out_notes_that_are_none(tmp_path: Path):
    write_trials(tmp_path)
    write_refit(tmp_path, "exp-000")
    paths = RunPaths(tmp_path)
    (facts,) = tmp_path.glob("experiments/*/*/refit/*/metrics.json")
    sound = json.loads(facts.read_text())
    assert not wrong_facts(sound)
    region, experiment = facts.parts[-5], facts.parts[-4]
    assert write_report(tmp_path, tmp_path / "sound.html")
    wrong: list[dict[str, Any]] = [{"model": "../../x"}, {"model": ["x"]}, {"metrics": []}, {"metrics": {"a": "x"}}]
    for change in (*wrong, {"epochs": "9"}):
        assert wrong_facts({**sound, **change}) == next(iter(change))
        facts.write_text(json.dumps({**sound, **change}))
        assert write_report(tmp_path, tmp_path / "report.html")
        assert sound["model"] in (tmp_path / "sound.html").read_text()
    for path in (facts, paths.spec(region, experiment)):
        assert read_note(pipe(path)) == {}
        assert write_report(tmp_path, tmp_path / "report.html")
    assert wrong_spec({**ASKED, "metric": 5}) == "metric"
