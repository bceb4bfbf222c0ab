"""Notes in a store may be anybody's: the report leaves out those that are none of ours."""

import json
from pathlib import Path
from typing import Any

from skin_tune.results.report import write_report
from skin_tune.results.store.notes import read_note, wrong_facts
from skin_tune.storage.run_paths import RunPaths
from tests.local import local
from tests.results.report.report_store import write_refit, write_trials
from tests.special_files import pipe


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
        assert read_note(pipe(local(path))) == {}
        assert write_report(tmp_path, tmp_path / "report.html")


def test_bounds_of_a_class_that_are_no_numbers_are_found():
    row = {"class": "0", "train_images": 1, "test_images": 1, "precision": 0.5, "recall": 0.5, "f1": None}
    assert wrong_facts({"classes": [{**row, "recall_low": None, "recall_high": 0.9}]}) == ""
    assert wrong_facts({"classes": [{**row, "recall_low": "low"}]}) == "classes"
