"""A photo gets the probabilities that its row of a pack gets."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.data.preparation.inference_crops import find_photos, wanted_crops
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.data.synthetic.dataset import draw_sample
from skin_tune.errors import SourceError
from skin_tune.inference.evaluate import evaluate_model
from skin_tune.inference.model_file import TrainedModel, load_model
from skin_tune.inference.predict import Prediction, expected_grade, predict
from tests.models import write_model

REGION = "perocular_wrinkle"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tree `faces`, and for a region of two sides a pack of it and a model."""
    folder = tmp_path_factory.mktemp("lab")
    draw_sample(folder / "faces", subjects=21)
    (prepared,) = prepare(PrepareRequest([folder / "faces"], REGION, size=48, out=folder))
    write_model(folder / "best.pt", open_pack(prepared.path), image_size=32, batch_size=32)
    return folder


@pytest.fixture(scope="module")
def model(lab: Path) -> TrainedModel:
    return load_model(lab / "best.pt")


def probabilities_of_rows(model: TrainedModel, pack: Pack) -> dict[str, list[float]]:
    parts = [evaluate_model(model, pack, split) for split in SPLITS]
    return {
        source: row
        for part in parts
        for source, row in zip(part.sources.tolist(), part.probabilities.tolist(), strict=True)
    }


def stems(predictions: list[Prediction]) -> list[tuple[str, str]]:
    return [(prediction.photo.stem, prediction.part) for prediction in predictions]


def test_photos_with_labels_get_what_their_rows_of_the_pack_get(lab: Path, model: TrainedModel):
    rows = probabilities_of_rows(model, open_pack(lab / f"{REGION}-48.arrow"))
    wanted = wanted_crops(find_photos([lab / "faces" / "img" / "01"]), REGION, lab / "faces" / "label")
    done: list[tuple[int, int]] = []
    predictions = predict(model, wanted, lambda *counts: done.append(counts))
    assert done[-1] == (63, 63)
    found: dict[tuple[str, str], list[float]] = {}
    for prediction in predictions:
        assert not prediction.reason
        assert not prediction.whole
        assert prediction.probabilities is not None
        found[prediction.photo.stem, prediction.part] = prediction.probabilities
    sides = {f"l_{REGION}": "left", f"r_{REGION}": "right"}
    compared = 0
    for source, expected in rows.items():
        label, _, key = source.partition("#")
        photo = Path(label).stem.rpartition("_")[0]
        if "_01_" not in photo:
            continue
        compared += 1
        np.testing.assert_allclose(found[photo, sides[key]], expected, atol=1e-5, err_msg=source)
    assert compared == len(found) > 63
    assert np.ptp(np.array(list(found.values())), axis=0).min() > 0.1  # equal rows would prove nothing


def test_a_few_photos_at_a_time_give_what_all_at_once_give(
    lab: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
):
    photos = find_photos([lab / "faces" / "img" / "01" / "0001", lab / "faces" / "img" / "02" / "0002"])
    wanted = wanted_crops(photos, REGION, lab / "faces" / "label")
    at_once = predict(model, wanted)
    monkeypatch.setattr("skin_tune.inference.predict._PHOTOS_AT_A_TIME", 2)
    in_turn = predict(model, wanted)
    assert stems(in_turn) == stems(at_once)
    for one, other in zip(in_turn, at_once, strict=True):
        assert one.probabilities is not None
        assert other.probabilities is not None
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


@pytest.mark.parametrize("without", [(), ("pack_size",)])
def test_cropped_images_get_what_class_folders_of_them_get(tmp_path: Path, without: tuple[str, ...]):
    rng = np.random.default_rng(0)
    for number in range(18):
        folder = tmp_path / "crops" / str(number % 2)
        folder.mkdir(parents=True, exist_ok=True)
        # Neither square nor of the pack's size: padded and resized.
        coarse = Image.fromarray(rng.integers(0, 256, (5, 4, 3), np.uint8))
        coarse.resize((40, 60 + number)).save(folder / f"p{number}_x.png")
    request = PrepareRequest([tmp_path / "crops"], "neck", size=32, out=tmp_path, subject_pattern=r"(p\d+)_")
    (prepared,) = prepare(request)
    pack = open_pack(prepared.path)
    model = load_model(write_model(tmp_path / "best.pt", pack, without=without))
    rows = probabilities_of_rows(model, pack)
    predictions = predict(model, wanted_crops(find_photos([tmp_path / "crops"]), "neck"))
    assert len(predictions) == len(rows) == 18
    for prediction in predictions:
        expected = rows[str(prediction.photo.relative_to(tmp_path / "crops"))]
        assert prediction.probabilities is not None
        np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-5)
        assert (prediction.part, prediction.whole) == ("", True)


def test_a_label_beside_its_photo_is_used_and_one_of_another_photo_is_not(
    lab: Path, model: TrainedModel, tmp_path: Path
):
    faces = lab / "faces"
    for photo in ("0001_01_F", "0002_01_F"):
        shutil.copy(faces / "img" / "01" / photo[:4] / f"{photo}.jpg", tmp_path)
    for part in ("03", "04"):
        shutil.copy(faces / "label" / "01" / "0001" / f"0001_01_F_{part}.json", tmp_path)
    predictions = predict(model, wanted_crops(find_photos([tmp_path]), REGION))
    assert stems(predictions) == [("0001_01_F", "left"), ("0001_01_F", "right"), ("0002_01_F", "")]
    assert [prediction.whole for prediction in predictions] == [False, False, True]
    tree = predict(model, wanted_crops(find_photos([tmp_path / "0001_01_F.jpg"]), REGION, faces / "label"))
    assert [one.probabilities for one in tree] == [two.probabilities for two in predictions[:2]]

    strange = tmp_path / "0002_01_F_03.json"
    strange.write_text((tmp_path / "0001_01_F_03.json").read_text())
    (wanted,) = wanted_crops([tmp_path / "0002_01_F.jpg"], REGION)
    assert wanted.reason == f"its label files have no box of {REGION}"


def test_a_grade_need_not_be_known(lab: Path, tmp_path: Path):
    label = json.loads((lab / "faces" / "label" / "01" / "0001" / "0001_01_F_03.json").read_text())
    del label["annotations"]
    (tmp_path / "0001_01_F_03.json").write_text(json.dumps(label))
    (wanted,) = wanted_crops([Path("elsewhere/0001_01_F.jpg")], REGION, tmp_path)
    assert (wanted.part, wanted.box, wanted.mirrored) == ("left", tuple(label["images"]["bbox"]), False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda label: label["images"].update(facepart=1), f"its label files have no box of {REGION}"),
        (lambda label: label["images"].update(bbox=None), f"its label files have no box of {REGION}"),
        (lambda label: label["images"].update(bbox=[1, 2]), "box is not four numbers"),
        (lambda label: label["images"].update(bbox=[30, 30, 10, 10]), "empty box: box (30.0, 30.0, 10.0, 10.0)"),
        (lambda label: label["images"].update(bbox=[9000, 9000, 9100, 9100]), "box outside the photo"),
        (lambda label: label.pop("images"), "label file 0001_01_F_03.json: bad JSON"),
        (None, "no label file 0001_01_F_<facepart>.json"),
    ],
)
def test_a_photo_whose_label_gives_no_box_is_not_graded_as_a_whole(
    lab: Path, model: TrainedModel, tmp_path: Path, change: Callable[[dict[str, object]], object] | None, said: str
):
    faces = lab / "faces"
    if change is not None:
        label = json.loads((faces / "label" / "01" / "0001" / "0001_01_F_03.json").read_text())
        change(label)
        (tmp_path / "0001_01_F_03.json").write_text(json.dumps(label))
    photo = faces / "img" / "01" / "0001" / "0001_01_F.jpg"
    (prediction,) = predict(model, wanted_crops([photo], REGION, tmp_path))
    assert prediction.reason.startswith(said)
    assert (prediction.probabilities, prediction.whole) == (None, False)


def test_a_photo_that_cannot_be_read_does_not_stop_the_others(lab: Path, model: TrainedModel, tmp_path: Path):
    photo = lab / "faces" / "img" / "01" / "0001" / "0001_01_F.jpg"
    (tmp_path / "a.jpg").write_bytes(photo.read_bytes())
    (tmp_path / "b.jpg").write_bytes(photo.read_bytes()[:2000])
    (tmp_path / "c.png").write_text("hello")
    (tmp_path / "notes.txt").write_text("hello")
    photos = find_photos([tmp_path, tmp_path / "a.jpg", tmp_path / "c.png"])
    first, second, third = predict(model, wanted_crops(photos, REGION))
    assert first.probabilities is not None
    assert sum(first.probabilities) == pytest.approx(1, abs=1e-5)
    assert second.reason.startswith("unreadable image: ")
    assert third.reason == "unreadable image: not an image file"


def test_photos_that_are_not_there_are_refused_before_anything_is_read(tmp_path: Path):
    with pytest.raises(SourceError, match=r"none\.jpg' does not exist"):
        find_photos([tmp_path, tmp_path / "none.jpg"][1:])
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(SourceError, match="holds no image"):
        find_photos([tmp_path])
    with pytest.raises(SourceError, match="does not exist"):
        find_photos([tmp_path / ("x" * 300)])
    with pytest.raises(SourceError, match="is not a folder"):
        wanted_crops([], REGION, tmp_path / "notes.txt")
    with pytest.raises(SourceError, match=r"regions of the catalogue.*'neck'"):
        wanted_crops([], "neck", tmp_path)


def test_the_expected_grade_is_the_mean_of_the_grades():
    assert expected_grade([0.25, 0.5, 0.25], ["0", "1", "2"]) == 1
    assert expected_grade([0, 0.5, 0.5], ["1", "2", "3"]) == 2.5
    assert expected_grade([0, 0.5, 0.5], ["mild", "moderate", "severe"]) == 1.5


def test_the_expected_grade_is_in_the_grades_own_values_where_all_are_numbers():
    assert expected_grade([0, 1, 0], ["1", "1.5", "2"]) == 1.5
    assert expected_grade([0, 1, 0], ["12", "34", "56"]) == 34
    assert expected_grade([0.5, 0, 0.5], ["-1", "0", "2e1"]) == 9.5
    assert expected_grade([0, 1, 0], ["0", "0_1", "2"]) == 1  # its place: not all are numbers
