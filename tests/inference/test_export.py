"""An exported model takes pixels as they are decoded and says what the model says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2.functional import normalize

from skin_tune.data.pack.format import Pack
from skin_tune.errors import ExportError, PackError
from skin_tune.inference import export, export_formats
from skin_tune.inference.evaluate import evaluate_model
from skin_tune.inference.export import (
    METADATA_FILE,
    TOLERANCE,
    ExportedGrader,
    export_model,
    resize_weights,
    sample_images,
)
from skin_tune.inference.model_file import TrainedModel, load_model
from tests.conftest import PackMaker, write_synthetic_pack
from tests.local import local
from tests.models import write_model


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return write_synthetic_pack(tmp_path_factory.mktemp("pack") / "pack.arrow", size=40)


@pytest.fixture(scope="module")
def model(pack: Pack) -> TrainedModel:
    """It takes crops of 40 px and looks at 32."""
    return load_model(write_model(local(pack.path.with_name("best.pt")), pack, image_size=32))


def assert_graded_as_by(model: TrainedModel, pack: Pack, probabilities: np.ndarray) -> None:
    np.testing.assert_allclose(probabilities, evaluate_model(model, pack, "val").probabilities, atol=1e-5)


def test_an_onnx_file_grades_as_the_model_does(pack: Pack, model: TrainedModel, tmp_path: Path):
    images = sample_images(model, pack)
    difference = export_model(model, "onnx", tmp_path / "new" / "model.onnx", images)
    assert 0 <= difference <= TOLERANCE
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "new" / "model.onnx")
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == ["0", "1", "2"]
    assert about["region"] == "lip_dryness"
    assert about["pack_id"] == pack.info.pack_id
    (pixels,) = session.get_inputs()
    assert (pixels.name, pixels.type, pixels.shape[1:]) == ("pixels", "tensor(uint8)", [40, 40, 3])
    val = pack.images[pack.indices("val")]
    (probabilities,) = session.run(None, {"pixels": val})
    assert_graded_as_by(model, pack, probabilities)
    (alone,) = session.run(None, {"pixels": val[3:4]})
    np.testing.assert_allclose(alone, probabilities[3:4], atol=1e-5)


def test_a_pt2_file_grades_as_the_model_does(pack: Pack, model: TrainedModel, tmp_path: Path):
    difference = export_model(model, "pt2", tmp_path / "model.pt2", sample_images(model, None))
    assert 0 <= difference <= TOLERANCE
    about = {METADATA_FILE: ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=about).module()
    assert json.loads(json.loads(about[METADATA_FILE])["classes"]) == ["0", "1", "2"]
    val = torch.from_numpy(pack.images[pack.indices("val")])
    assert_graded_as_by(model, pack, program(val).numpy())
    np.testing.assert_allclose(program(val[3:4]), program(val)[3:4], atol=1e-5)


@pytest.mark.parametrize("image_size", [16, 31, 40])
def test_preprocessing_is_an_anti_aliased_resize_and_imagenets_scale(pack: Pack, model: TrainedModel, image_size: int):
    changed = load_model(model.path)
    object.__setattr__(changed, "config", replace(model.config, image_size=image_size))
    grader = ExportedGrader(changed)
    (member,) = grader.members
    member.network = torch.nn.Identity()
    seen: list[torch.Tensor] = []
    member.network.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    pixels = torch.from_numpy(pack.images[:4].copy())
    grader(pixels)
    size = (image_size, image_size)
    images = F.interpolate(pixels.permute(0, 3, 1, 2), size, mode="bilinear", antialias=True, align_corners=False)
    expected = normalize(images / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(seen[0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("side", "size"), [(256, 224), (72, 64), (64, 200), (200, 64)])
def test_pixels_are_resized_to_the_bit_as_on_a_cpu(side: int, size: int):
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, side, side), np.uint8))
    weights, scale = resize_weights(side, size)

    def rounded(sums: torch.Tensor) -> torch.Tensor:
        return ((sums + scale // 2) / scale).floor().clamp(0, 255)

    found = rounded(weights @ rounded(pixels.float() @ weights.T))
    assert torch.equal(found, F.interpolate(pixels, (size, size), mode="bilinear", antialias=True).float())


@pytest.mark.parametrize("wrong", [0.9, float("nan")])
def test_an_export_that_differs_is_not_written(
    model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: float
):
    monkeypatch.setattr(export, "normalise", lambda images: images * wrong)
    with pytest.raises(ExportError, match=r"more than 0\.0001; it was not written"):
        export_model(model, "pt2", tmp_path / "model.pt2", sample_images(model, None))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused_before_the_work(
    pack: Pack, model: TrainedModel, tmp_path: Path, make_pack: PackMaker, monkeypatch: pytest.MonkeyPatch
):
    images = sample_images(model, pack)
    (tmp_path / "file").write_text("")
    for out in (tmp_path, tmp_path / "file" / "model.pt2"):
        with pytest.raises(ExportError, match=f"--out '{out}'"):
            export_model(model, "pt2", out, images)
    with pytest.raises(ExportError, match="'tflite' is not one of onnx, pt2"):
        export_model(model, "tflite", tmp_path / "model", images)
    with pytest.raises(PackError, match="images of 64 px, the model takes 40"):
        sample_images(model, make_pack(size=64))
    with pytest.raises(PackError, match="no val image"):
        sample_images(model, make_pack({"train": (4, 4, 4), "val": (0, 0, 0), "test": (4, 4, 4)}, size=40))
    monkeypatch.setattr(export_formats, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"needs onnxscript and onnxruntime.*pip install 'skin-tune\[onnx\]'"):
        export_formats.check_format("onnx")


def test_test_images_are_not_among_those_an_export_is_checked_on(pack: Pack, model: TrainedModel):
    images = {image.tobytes() for image in sample_images(model, pack)}
    assert images <= {image.tobytes() for image in pack.images[pack.indices("val")]}
    assert len(images) == 18


def test_an_exported_file_says_what_its_grades_are_worth(make_pack: PackMaker, tmp_path: Path):
    for name, classes, ordinal, values in (
        ("whole", ("0", "1", "2"), True, "[0.0, 1.0, 2.0]"),
        ("halves", ("1", "1.5", "2"), True, "[1.0, 1.5, 2.0]"),
        ("words", ("mild", "moderate", "severe"), True, None),
        ("codes", ("12", "34", "56"), False, None),
    ):
        pack = make_pack(name=name, size=16, classes=classes, ordinal=ordinal)
        about = export.metadata(load_model(write_model(tmp_path / f"{name}.pt", pack)))
        assert json.loads(about["classes"]) == list(classes)
        assert about["ordinal"] == ("true" if ordinal else "false")
        assert about.get("grade_values") == values
