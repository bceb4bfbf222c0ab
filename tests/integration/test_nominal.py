"""Classes without an order, from a pack to everything that is read of it: what needs an order is a gap."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image

from skin_tune.data.pack.format import Pack
from skin_tune.inference.export import METADATA_FILE
from skin_tune.results import load_epochs, load_predictions, load_trials
from skin_tune.training.checkpoint import load_checkpoint
from tests.cli_runner import ONE_PROCESS, assert_one_line_error, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.offline_runs import offline_runs

CLASSES = ("akiec", "mel", "nv")
GAPS = ("mae", "within_one", "qwk")
VAL_GAPS = [f"val_{name}" for name in GAPS]
ABOUT: dict[str, list[Any]] = {
    "age": [34.5, None, 60.0],
    "gender": ["F", "M", ""],
    "skin_type": ["2"],
    "device": ["01"],
    "angle": ["L", "R"],
}
SMALL = ("backbone=resnet18", "weights=none", "image_size=16", "batch_size=16", "epochs=1", "warmup_epochs=0")
COUNTS = {"train": (24, 12, 6), "val": (8, 6, 0), "test": (8, 6, 4)}


@dataclass(frozen=True)
class Lab:
    """A nominal pack, and the store of what was trained on it."""

    pack: Pack
    storage: Path

    @property
    def model(self) -> Path:
        return self.storage / "experiments" / "lip_dryness" / "hand" / "checkpoints" / "hand" / "best.pt"

    def shown(self, command: str, *arguments: object, form: str = "table") -> str:
        """What a command that reads the store prints."""
        done = skin_tune_here(command, *arguments, "--storage", self.storage, "--format", form)
        assert done.returncode == 0, done.stderr
        return done.stdout


def nominal_pack(folder: Path) -> Pack:
    return write_synthetic_pack(folder / "pack.arrow", COUNTS, size=16, classes=CLASSES, ordinal=False, about=ABOUT)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("nominal")
    pack, storage = nominal_pack(folder), folder / "runs"
    where = ("--storage", storage, "--name", "hand", "--wandb", "offline")
    done = skin_tune_here("train", pack.path, *SMALL, *where)
    assert done.returncode == 0, done.stderr
    return Lab(pack, storage)


def assert_knows_whom_photos_show(rows: pd.DataFrame, pack: Pack) -> None:
    place = {source: row for row, source in enumerate(pack.sources.tolist())}
    for name in ABOUT:
        expected = [pack.about[name][place[source]] for source in rows["source"]]
        assert [None if pd.isna(value) else value for value in rows[name]] == expected


def test_store_and_wandb_have_gaps_and_know_that_the_classes_are_nominal(lab: Lab):
    trials, epochs = load_trials(lab.storage), load_epochs(lab.storage)
    assert (trials["ordinal"].tolist(), json.loads(trials["classes"][0])) == ([False], list(CLASSES))
    for table in (trials, epochs):
        assert table[VAL_GAPS].isna().all(axis=None)
        assert table[["val_balanced_acc", "val_recall_mel"]].notna().all(axis=None)
        assert table["val_recall_nv"].dtype == "float64"  # no validation image is of it
    assert_knows_whom_photos_show(load_predictions(lab.storage, split="val"), lab.pack)
    (run,) = offline_runs(lab.storage).values()
    (step,) = run.steps
    assert "val_balanced_acc" in step
    assert not {*VAL_GAPS, "val_recall_nv"} & set(step)
    assert not [name for name in run.summary if name.endswith((*GAPS, "recall_nv"))]
    assert load_checkpoint(lab.model)["ordinal"] is False


def test_tables_for_people_have_no_column_and_those_for_programs_a_null(lab: Lab):
    table = lab.shown("trials")
    assert "macro F1" in table
    assert "MAE" not in table
    (row,) = json.loads(lab.shown("trials", form="json"))
    assert [row[name] for name in VAL_GAPS] == [None] * 3
    (row,) = csv.DictReader(io.StringIO(lab.shown("trials", form="csv")))
    assert [row[name] for name in VAL_GAPS] == [""] * 3
    refused = skin_tune_here("trials", "--storage", lab.storage, "--sort", "val_qwk")
    assert_one_line_error(refused, "--sort 'val_qwk'", "those of lip_dryness are nominal")

    compared = lab.shown("compare")
    assert "note: no validation image is of class nv: balanced accuracy is over the other classes" in compared
    assert not [word for word in ("MAE", "within 1", "QWK") if word in compared]


def test_a_mixed_store_has_a_dash_where_the_others_have_a_figure(lab: Lab, tmp_path: Path):
    ordinal = write_synthetic_pack(tmp_path / "ordinal.arrow", size=16, region="neck")
    done = skin_tune_here("train", ordinal.path, *SMALL, "--storage", lab.storage, "--name", "neck")
    assert done.returncode == 0, done.stderr
    lines = lab.shown("trials", "--sort", "val_mae").splitlines()
    place = slice(lines[0].index("MAE (steps)"), lines[0].index("MAE (steps)") + len("MAE (steps)"))
    cells = {line.split()[1]: line[place].strip() for line in lines[1:3]}
    assert cells["lip_dryness"] == "-"
    assert float(cells["neck"]) >= 0
    again = lab.shown("trials", "--region", "lip_dryness")
    assert "MAE" not in again


def test_a_finished_model_says_nothing_that_needs_an_order(lab: Lab, tmp_path: Path):
    line = lab.shown("evaluate", lab.model, lab.pack.path, "--split", "val").splitlines()[-1]
    assert line.startswith("val: balanced_acc ")
    assert not [name for name in GAPS if name in line]
    facts = json.loads(lab.shown("evaluate", lab.model, lab.pack.path, "--split", "val", form="json"))
    assert facts["ordinal"] is False
    assert [facts["scores"][name] for name in GAPS] == [None] * 3
    assert facts["scores"]["recall_mel"] is not None

    image = tmp_path / "a.png"
    Image.fromarray(lab.pack.images[0]).save(image)
    table = skin_tune_here("predict", lab.model, image).stdout
    assert "p(akiec)" in table
    assert "expected" not in table
    (row,) = json.loads(skin_tune_here("predict", lab.model, image, "--format", "json").stdout)
    assert row["grade"] in CLASSES
    assert row["expected_grade"] is None
    (cells,) = csv.DictReader(io.StringIO(skin_tune_here("predict", lab.model, image, "--format", "csv").stdout))
    assert cells["expected_grade"] == ""

    done = skin_tune_here("export", lab.model, "--out", tmp_path / "grader.pt2")
    assert done.returncode == 0, done.stderr
    said = {METADATA_FILE: ""}
    torch.export.load(tmp_path / "grader.pt2", extra_files=said)
    about: dict[str, Any] = json.loads(said[METADATA_FILE])
    assert (about["ordinal"], json.loads(about["classes"])) == ("false", list(CLASSES))
    assert "grade_values" not in about


def test_a_model_of_one_kind_does_not_grade_a_pack_of_the_other(lab: Lab, tmp_path: Path):
    ordinal = write_synthetic_pack(tmp_path / "ordinal.arrow", COUNTS, size=16, classes=CLASSES)
    refused = skin_tune_here("evaluate", lab.model, ordinal.path, "--storage", tmp_path / "runs")
    assert_one_line_error(refused, "has ordinal classes, the model grades nominal ones", "with --nominal")
    last = lab.model.with_name("last.pt")
    resumed = skin_tune_here("train", ordinal.path, "epochs=2", "--resume", last, "--storage", tmp_path / "runs")
    assert_one_line_error(resumed, "the checkpoint is of nominal classes, not of ordinal ones")
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("cluster_with_dashboard")
def test_a_search_and_a_refit_by_two_workers_keep_the_gaps_and_whom_photos_show(tmp_path: Path):
    pack, storage = nominal_pack(tmp_path), tmp_path / "runs"
    constants = "\n".join("  {}: {{value: {}}}".format(*word.split("=")) for word in SMALL)
    (tmp_path / "space.yaml").write_text(
        f"method: grid\nparameters:\n{constants}\n  weight_decay: {{values: [0.01, 0.1]}}\n"
    )
    where = ("--storage", storage, "--name", "exp", "--space", tmp_path / "space.yaml")
    done = skin_tune_here("tune", pack.path, *where, *ONE_PROCESS)
    assert done.returncode == 0, done.stderr
    assert "macro F1" in done.stdout
    assert "MAE" not in done.stdout
    refitted = skin_tune_here("refit", "exp", "--workers", 2, "--storage", storage)
    assert refitted.returncode == 0, refitted.stderr

    trials = load_trials(storage)
    assert trials["ordinal"].tolist() == [False, False]
    assert trials[VAL_GAPS].isna().all(axis=None)
    (folder,) = (storage / "experiments" / "lip_dryness" / "exp" / "refit").iterdir()
    for split, trial_id in (("val", "exp-000"), ("val", folder.name), ("test", folder.name)):
        rows = load_predictions(storage, split=split, trial=trial_id)
        assert len(rows) == sum(COUNTS[split])
        assert_knows_whom_photos_show(rows, pack)
    facts = json.loads((folder / "metrics.json").read_text())
    assert facts["ordinal"] is False
    assert [facts["metrics"][f"test_{name}"] for name in GAPS] == [None] * 3
    card = (folder / "model_card.md").read_text()
    assert "Grades lip_dryness in 3 classes without an order: akiec, mel, nv." in card
    assert not [word for word in ("mae", "qwk", "within", "ordinal") if word in card.lower()]
