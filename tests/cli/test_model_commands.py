"""Finished models at the command line."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from skin_tune.data.pack.format import Pack
from skin_tune.inference import evaluate as evaluate_module
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.results import load_test_openings
from skin_tune.storage.files import location
from skin_tune.storage.run_paths import RunPaths, made_by
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import Bucket, PackMaker, write_synthetic_pack
from tests.local import local
from tests.models import write_model


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return write_synthetic_pack(tmp_path_factory.mktemp("pack") / "pack.arrow")


@pytest.fixture(scope="module")
def model(pack: Pack) -> Path:
    return write_model(local(pack.path.with_name("best.pt")), pack)


def test_evaluate_shows_what_scikit_learn_says_and_counts_the_openings(pack: Pack, model: Path, tmp_path: Path):
    command = ("evaluate", model, pack.path, "--storage", tmp_path / "runs")
    table = skin_tune_here(*command)
    assert table.returncode == 0, table.stderr
    assert "(this test split has been opened once)" in table.stdout
    facts = json.loads(skin_tune_here(*command, "--format", "json").stdout)
    assert (facts["test_openings"], facts["split"], facts["images"]) == (2, "test", 18)
    evaluation = evaluate_file(model, pack.path, "test")
    truth, predicted = evaluation.labels, evaluation.probabilities.argmax(axis=1)
    assert len(set(predicted.tolist())) > 1
    assert facts["confusion"] == confusion_matrix(truth, predicted).tolist()
    assert facts["scores"]["balanced_acc"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert facts["scores"]["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert f"macro_f1 {facts['scores']['macro_f1']:.3f}" in table.stdout

    as_csv = skin_tune_here(*command, "--format", "csv")
    assert "opened 3 times" in as_csv.stderr
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [[int(row[f"predicted_{name}"]) for name in "012"] for row in rows] == facts["confusion"]
    openings = load_test_openings(tmp_path / "runs", "lip_dryness")
    assert set(openings["command"]) == {"evaluate"}
    assert set(openings["pack_id"]) == {pack.info.pack_id}
    (trial_id,) = set(openings["trial_id"])
    assert trial_id.startswith("best-")


def test_other_splits_are_not_recorded(pack: Pack, model: Path, tmp_path: Path):
    for split in ("val", "train"):
        done = skin_tune_here("evaluate", model, pack.path, "--split", split, "--storage", tmp_path / "runs")
        assert done.returncode == 0, done.stderr
        assert "opened" not in done.stdout
    assert not (tmp_path / "runs").exists()


def test_an_opening_is_recorded_before_it_happens_or_does_not_happen(
    pack: Pack, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recorded = []

    def opened(*arguments: object) -> None:
        recorded.append(len(load_test_openings(tmp_path / "runs")))
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate_module, "evaluate_model", opened)
    assert skin_tune_here("evaluate", model, pack.path, "--storage", tmp_path / "runs").returncode == 130
    assert recorded == [1]
    (tmp_path / "file").write_text("")
    done = skin_tune_here("evaluate", model, pack.path, "--storage", tmp_path / "file")
    assert_one_line_error(done, "cannot write to", "file")
    assert recorded == [1]


def test_an_opening_names_the_experiment_that_the_model_is_of(pack: Pack, model: Path, tmp_path: Path):
    paths = RunPaths(tmp_path / "runs")
    file = paths.refit("lip_dryness", "exp", "exp-001-refit") / "model.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(model.read_bytes())
    assert skin_tune_here("evaluate", file, pack.path, "--storage", paths.storage).returncode == 0
    openings = load_test_openings(paths.storage)
    assert openings[["experiment", "trial_id"]].to_numpy().tolist() == [["exp", "exp-001-refit"]]
    assert made_by(paths.checkpoints("lip_dryness", "exp", "exp-001") / "best.pt") == ("exp", "exp-001")
    assert made_by(model) is None


def test_a_pack_of_another_clinic_is_evaluated_and_one_of_other_grades_is_not(
    model: Path, tmp_path: Path, make_pack: PackMaker
):
    common = ("--storage", tmp_path / "runs")
    larger = make_pack(name="larger", size=48, seed=3, region="lip_dryness_b")
    done = skin_tune_here("evaluate", model, larger.path, *common)
    assert done.returncode == 0, done.stderr
    assert "the model grades lip_dryness, the pack is of lip_dryness_b" in done.stderr

    two = make_pack({"train": (9, 9), "val": (4, 4), "test": (4, 4)}, name="two")
    said = ("has classes ['0', '1'], the model grades ['0', '1', '2']",)
    assert_one_line_error(skin_tune_here("evaluate", model, two.path, *common), *said)
    small = make_pack(name="small", size=16)
    assert_one_line_error(skin_tune_here("evaluate", model, small.path, *common), "16 px, the model needs 32")
    untested = make_pack({"train": (9, 9, 9), "val": (4, 4, 4), "test": (0, 0, 0)}, name="untested")
    assert_one_line_error(skin_tune_here("evaluate", model, untested.path, *common), "no test image")
    assert len(load_test_openings(tmp_path / "runs")) == 1


def test_predict_prints_a_row_for_each_image_and_says_what_it_could_not_read(pack: Pack, model: Path, tmp_path: Path):
    rows = pack.indices("val")[:3]
    for name, row in zip("abc", rows, strict=True):
        Image.fromarray(pack.images[row]).save(tmp_path / f"{name}.png")
    (tmp_path / "d.png").write_text("hello")
    expected = evaluate_file(model, pack.path, "val").probabilities[:3]

    done = skin_tune_here("predict", model, tmp_path, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "1 of 4 crops could not be graded" in done.stderr
    assert "3 images were taken for crops of lip_dryness as they are" in done.stderr
    *graded, failed = json.loads(done.stdout)
    found = np.array([[row[f"p_{name}"] for name in "012"] for row in graded])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert [row["grade"] for row in graded] == [str(grade) for grade in expected.argmax(axis=1)]
    assert [row["expected_grade"] for row in graded] == pytest.approx((expected @ [0, 1, 2]).tolist(), abs=1e-3)
    assert failed == {
        **dict.fromkeys(graded[0]),
        "path": str(tmp_path / "d.png"),
        "part": "",
        "reason": "unreadable image: not an image file",
    }

    as_csv = skin_tune_here("predict", model, tmp_path / "b.png", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(as_csv.stdout))
    assert (row["grade"], row["reason"]) == (graded[1]["grade"], "")
    table = skin_tune_here("predict", model, tmp_path)
    assert f"{found[0, 0]:.3f}" in table.stdout
    assert "d.png: unreadable image" in table.stderr


def test_where_no_photo_can_be_graded_the_exit_code_is_1(model: Path, tmp_path: Path):
    (tmp_path / "d.png").write_text("hello")
    done = skin_tune_here("predict", model, tmp_path / "d.png")
    assert done.returncode == 1
    assert "error: none of 1 photo could be graded" in done.stderr.splitlines()[-1]


def test_export_says_where_the_file_is_and_how_far_it_is_from_the_model(pack: Pack, model: Path, tmp_path: Path):
    file = tmp_path / "grader.pt2"
    done = skin_tune_here("export", model, "--out", file, "--pack", pack.path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"{file}: uint8 [N, 32, 32, 3] -> probabilities [N, 3]" in done.stdout
    assert f"on 18 validation images of {pack.path}" in done.stdout
    images = torch.from_numpy(pack.images[pack.indices("test")])
    probabilities = torch.export.load(file).module()(images).numpy()
    np.testing.assert_allclose(probabilities, evaluate_file(model, pack.path, "test").probabilities, atol=1e-5)


def test_mistakes_end_in_one_line(pack: Pack, model: Path, tmp_path: Path, make_pack: PackMaker):
    (tmp_path / "text.pt").write_text("hello")
    headless = write_model(tmp_path / "headless.pt", pack, without=("classes",))
    other = write_model(tmp_path / "neck.pt", make_pack(name="neck", region="neck"))
    torch.save({"format_version": 1, **torch.load(model), "model": {}}, tmp_path / "empty.pt")
    (tmp_path / "folder").mkdir()
    image = tmp_path / "a.png"
    Image.fromarray(pack.images[0]).save(image)
    for arguments, said in [
        (("evaluate", tmp_path / "none.pt", pack.path), ("none.pt", "does not exist")),
        (("evaluate", model, tmp_path / "none.arrow"), ("none.arrow", "does not exist")),
        (("evaluate", model, model), ("best.pt", "is not a pack")),
        (("evaluate", model, pack.path, "--split", "all"), ("'all'", "train, val, test")),
        (("evaluate", model, pack.path, "--format", "xml"), ("'xml'", "table, csv, json")),
        (("predict", tmp_path / "text.pt", image), ("text.pt", "is not a checkpoint")),
        (("predict", headless, image), ("headless.pt", "holds no model")),
        (("predict", tmp_path / "empty.pt", image), ("empty.pt", "holds no model")),
        (("predict", model, tmp_path / "none.jpg"), ("none.jpg", "does not exist")),
        (("predict", model, tmp_path / "folder"), ("folder", "holds no image")),
        (("predict", model, image, "--labels", tmp_path / "none"), ("--labels", "none", "is not a folder")),
        (("predict", other, image, "--labels", tmp_path), ("--labels", "catalogue", "'neck'")),
        (("predict", model, image, "--format", "xml"), ("'xml'", "table, csv, json")),
        (("predict", model), ("IMAGE",)),
        (("export", model, "--format", "tflite"), ("'tflite'", "onnx, pt2")),
        (("export", model, "--out", image / "model.pt2"), ("--out", "cannot be written")),
        (("export", model, "--out", tmp_path), ("--out", "is a folder")),
        (("export", model, "--pack", make_pack(name="large", size=48).path), ("48 px", "takes 32")),
    ]:
        where = ("--storage", tmp_path / "runs") if arguments[0] == "evaluate" else ()
        assert_one_line_error(skin_tune_here(*arguments, *where), *said)
    assert not (tmp_path / "runs").exists()


def test_models_packs_and_stores_may_be_in_a_bucket(pack: Pack, model: Path, tmp_path: Path, bucket: Bucket):
    far = {name: f"{bucket.url}/{name}" for name in ("best.pt", "pack.arrow", "runs", "best.pt2")}
    location(far["best.pt"]).write_bytes(model.read_bytes())
    location(far["pack.arrow"]).write_bytes(pack.path.read_bytes())
    done = skin_tune_here("evaluate", far["best.pt"], far["pack.arrow"], "--storage", far["runs"])
    assert done.returncode == 0, done.stderr
    assert "opened once" in done.stdout
    assert len(load_test_openings(far["runs"])) == 1
    done = skin_tune_here("export", far["best.pt"], "--format", "pt2")
    assert done.returncode == 0, done.stderr
    (tmp_path / "copy.pt2").write_bytes(location(far["best.pt2"]).read_bytes())
    images = torch.from_numpy(pack.images[:2].copy())
    assert torch.export.load(tmp_path / "copy.pt2").module()(images).shape == (2, 3)
