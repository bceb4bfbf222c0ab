"""A model decides as it was chosen: by the plain decision or by the adjusted one, wherever it is used."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from skin_tune.data.pack.format import Pack
from skin_tune.data.preparation.inference_crops import find_photos, wanted_crops
from skin_tune.errors import CheckpointError
from skin_tune.inference.evaluate import evaluate_model
from skin_tune.inference.export import METADATA_FILE, export_model
from skin_tune.inference.model_file import TrainedModel, load_model
from skin_tune.inference.predict import predict
from skin_tune.model.prior import adjusted
from skin_tune.training.checkpoint import load_checkpoint, save_checkpoint
from tests.conftest import write_synthetic_pack
from tests.local import local
from tests.models import write_model


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return write_synthetic_pack(tmp_path_factory.mktemp("pack") / "pack.arrow", size=32)


@pytest.fixture(scope="module")
def model(pack: Pack) -> TrainedModel:
    """Chosen by the adjusted decision, trained under a prior that matters."""
    path = local(pack.path.with_name("best.pt"))
    return load_model(write_model(path, pack, metric="val_macro_f1_adjusted", train_loss="ce", oversample="none"))


def answers_of(model: TrainedModel, pack: Pack) -> np.ndarray:
    """Probabilities [N, K] of the validation images, by the adjusted decision."""
    assert model.prior is not None
    return adjusted(evaluate_model(model, pack, "val").probabilities, model.prior)


def test_the_prior_is_that_of_the_training_images(model: TrainedModel, pack: Pack):
    counts = pack.class_counts("train")
    assert model.adjusted
    assert model.prior == pytest.approx(counts / counts.sum())


def test_an_evaluation_has_both_decisions(model: TrainedModel, pack: Pack):
    evaluation = evaluate_model(model, pack, "val")
    decided = answers_of(model, pack).argmax(axis=1)
    assert evaluation.columns()["predicted_adjusted"].tolist() == decided.tolist()
    assert (decided != evaluation.probabilities.argmax(axis=1)).any()
    confusion = evaluation.confusion_by(adjusted=True)
    assert confusion.sum(axis=0).tolist() == np.bincount(decided, minlength=3).tolist()
    scores = evaluation.scores(pack.classes, ordinal=True)
    assert scores["acc_adjusted"] == pytest.approx((decided == evaluation.labels).mean())


def test_photos_are_graded_by_it(model: TrainedModel, pack: Pack, tmp_path: Path):
    rows = pack.indices("val")
    for place, row in enumerate(rows):
        Image.fromarray(np.array(pack.images[row])).save(tmp_path / f"{place:03d}.png")
    answers = predict(model, wanted_crops(find_photos([tmp_path]), model.region, None))
    found = np.array([each.probabilities for each in answers], np.float64)
    np.testing.assert_allclose(found, answers_of(model, pack), atol=1e-5)


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_an_exported_program_grades_by_it(model: TrainedModel, pack: Pack, tmp_path: Path, form: str):
    images = pack.images[pack.indices("val")]
    file = tmp_path / f"model.{form}"
    export_model(model, form, file, images[:8])
    if form == "onnx":
        session = onnxruntime.InferenceSession(file)
        (probabilities,) = session.run(None, {"pixels": images})
        about = session.get_modelmeta().custom_metadata_map
    else:
        files = {METADATA_FILE: ""}
        program = torch.export.load(file, extra_files=files).module()
        probabilities, about = program(torch.from_numpy(np.array(images))).numpy(), json.loads(files[METADATA_FILE])
    np.testing.assert_allclose(probabilities, answers_of(model, pack), atol=1e-5)
    assert about["decision"] == "adjusted"


@pytest.mark.parametrize(("metric", "without"), [("val_macro_f1", ()), ("val_macro_f1_adjusted", ("prior",))])
def test_a_model_that_was_chosen_otherwise_or_is_older_decides_plainly(
    pack: Pack, tmp_path: Path, metric: str, without: tuple[str, ...]
):
    plain = load_model(write_model(tmp_path / "best.pt", pack, metric=metric, without=without, oversample="none"))
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    assert not plain.adjusted
    assert torch.equal(plain.decide(logits), logits.softmax(dim=1))
    assert (evaluate_model(plain, pack, "val").adjusted_probabilities is None) == bool(without)


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        ([0.5, 0.5], "prior is of 2 classes, of which it has 3"),
        ([0.5, 0.6, 0.1], "prior .* is not a share of each class"),
        ([0.5, float("nan"), 0.5], "prior .* is not a share of each class"),
        ([1.5, -0.5, 0.0], "prior .* is not a share of each class"),
        ("even", "prior 'even' is not a share of each class"),
    ],
)
def test_a_prior_that_is_none_is_refused(pack: Pack, tmp_path: Path, prior: object, said: str):
    content = load_checkpoint(write_model(tmp_path / "best.pt", pack))
    save_checkpoint(tmp_path / "other.pt", {**content, "prior": prior})
    with pytest.raises(CheckpointError, match=said):
        load_model(tmp_path / "other.pt")
