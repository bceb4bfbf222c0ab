"""A model as a program that runs without this package: ONNX, or PyTorch's own exported program."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skin_tune.data.loading.augmentation import normalise
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ExportError, PackError
from skin_tune.inference.export_formats import check_format
from skin_tune.inference.model_file import TrainedModel, check_same_task
from skin_tune.storage.files import Location, atomic_write
from skin_tune.text.grades import grade_values

TOLERANCE = 1e-4
"""How far a probability of the exported program may be from the model's own."""

METADATA_FILE = "skin_tune.json"
"""Name of the extra file in a pt2 archive that holds what ONNX keeps in its metadata properties."""

_CHECKED_IMAGES = 64


class ExportedGrader(nn.Module):
    """uint8 crops [N, P, P, 3], RGB as decoded, to probabilities float32 [N, K]: nothing is left to do outside."""

    def __init__(self, model: TrainedModel):
        super().__init__()
        self.members = nn.ModuleList(_ExportedMember(member) for member in model.members)

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities [N, K] of crops [N, P, P, 3]: the mean of its members'."""
        images = pixels.permute(0, 3, 1, 2).float()
        return torch.stack([member(images) for member in self.members]).mean(dim=0)


class _ExportedMember(nn.Module):
    """One network of a model.

    Resizing is a product with a fixed matrix, along rows and then columns. Every runtime computes that alike, while few
    know an anti-aliased resize, and those that do differ. The pixels are those of `network_input` on a CPU, to the bit.
    """

    weights: Tensor
    """[size, side], see `resize_weights`."""

    def __init__(self, model: TrainedModel):
        super().__init__()
        self.decide = model.decide
        self.network = model.network.cpu().to(memory_format=torch.contiguous_format)
        weights, self.scale = resize_weights(model.crop_size, model.config.image_size)
        self.register_buffer("weights", weights)

    def forward(self, images: Tensor) -> Tensor:
        if self.weights.shape[0] != self.weights.shape[1]:
            images = self._rounded(self.weights @ self._rounded(images @ self.weights.T))
        return self.decide(self.network(normalise(images / 255)))

    def _rounded(self, sums: Tensor) -> Tensor:
        return ((sums + self.scale // 2) / self.scale).floor().clamp(0, 255)


def resize_weights(side: int, size: int) -> tuple[Tensor, int]:
    """Whole numbers float32 [size, side], and what they are to be divided by: an anti-aliased bilinear resize.

    As PyTorch's kernel for uint8 on CPUs has them: of 16 bits, with as many behind the point as fit. Products with
    pixels sum to whole numbers below 2**24, which float32 adds exactly.
    """
    one = torch.eye(side, dtype=torch.float64)[None, None]
    exact = F.interpolate(one, size=(size, side), mode="bilinear", antialias=True, align_corners=False)[0, 0]
    bits = 0
    while int(0.5 + exact.max().item() * 2 ** (bits + 1)) < 2**15:
        bits += 1
    return torch.floor(exact * 2**bits + 0.5).float(), 2**bits


def sample_images(model: TrainedModel, pack: Pack | None) -> npt.NDArray[np.uint8]:
    """Crops uint8 [N, P, P, 3] to check an export on: validation images of `pack`, or random ones without.

    Raises PackError where the pack does not fit the model.
    """
    if pack is None:
        return np.random.default_rng(0).integers(0, 256, (8, model.crop_size, model.crop_size, 3), np.uint8)
    check_same_task(model, pack)
    if pack.info.size != model.crop_size:
        raise PackError(f"pack {str(pack.path)!r} has images of {pack.info.size} px, the model takes {model.crop_size}")
    rows = pack.indices("val")
    if not len(rows):
        raise PackError(f"pack {str(pack.path)!r} has no val image to check the export on; give another --pack")
    return pack.images[rows[:: max(1, len(rows) // _CHECKED_IMAGES)][:_CHECKED_IMAGES]]


def export_model(model: TrainedModel, form: str, out: Path, images: npt.NDArray[np.uint8]) -> float:
    """Write `model` to `out` as `onnx` or `pt2`, once it gives the model's own probabilities for `images`.

    The file says of itself what it takes and gives: see `metadata`. Returns the largest difference of a probability.
    Raises ExportError, leaving no file, where that is above TOLERANCE or `out` cannot be written.
    """
    check_format(form)
    if out.is_dir():
        raise ExportError(f"--out {str(out)!r} is a folder; give a file name")
    try:
        with atomic_write(out) as temporary:
            temporary.touch()  # a place that cannot be written shows now, not after the work
            return _write_checked(model, form, temporary, images)
    except OSError as error:
        raise ExportError(f"--out {str(out)!r} cannot be written: {error.strerror or error}") from None


@torch.no_grad()
def _write_checked(model: TrainedModel, form: str, file: Location, images: npt.NDArray[np.uint8]) -> float:
    grader = ExportedGrader(model).eval()
    pixels = torch.from_numpy(np.array(images))
    expected = model.probabilities(pixels).numpy()
    example = pixels[:1].repeat(2, 1, 1, 1)  # a batch of one would be taken for fixed
    run = (_write_onnx if form == "onnx" else _write_pt2)(grader, example, metadata(model), file)
    found = np.concatenate([run(part.numpy()) for part in (pixels[:1], pixels[1:]) if len(part)])
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:  # NaN is no match either
        raise ExportError(
            f"the exported {form} program differs from {str(model.path)!r} by {difference:.2g} in a probability, "
            f"more than {TOLERANCE:g}; it was not written"
        )
    return difference


def metadata(model: TrainedModel) -> dict[str, str]:
    """Metadata of an exported file: `classes` is a JSON list, in ordinal order where `ordinal` is ``true``.

    Ordinal classes that are all numbers have these as `grade_values`, a JSON list: the expected grade is their mean
    under the probabilities. `decision` is ``adjusted`` where these are of classes that are evenly frequent.
    """
    side = model.crop_size
    values = grade_values(model.classes) if model.ordinal else None
    return {
        "region": model.region,
        "classes": json.dumps(model.classes),
        "ordinal": json.dumps(model.ordinal),
        **({} if values is None else {"grade_values": json.dumps(values)}),
        "pack_id": model.pack_id,
        "decision": "adjusted" if model.adjusted else "plain",
        "crop_size": str(side),
        "image_size": " ".join(dict.fromkeys(str(member.config.image_size) for member in model.members)),
        "input": f"pixels: uint8 [N, {side}, {side}, 3], RGB crops of the region, rows from the top",
        "output": f"probabilities: float32 [N, {len(model.classes)}], in the order of classes",
    }


Run = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def _program(grader: ExportedGrader, example: Tensor) -> torch.export.ExportedProgram:
    return torch.export.export(grader, (example,), dynamic_shapes=({0: torch.export.Dim("images")},))


def _write_pt2(grader: ExportedGrader, example: Tensor, about: dict[str, str], file: Location) -> Run:
    with file.open("wb") as stream:
        torch.export.save(_program(grader, example), stream, extra_files={METADATA_FILE: json.dumps(about)})
    with file.open("rb") as stream:
        program = torch.export.load(stream).module()
    return lambda pixels: program(torch.from_numpy(pixels)).numpy()


def _write_onnx(grader: ExportedGrader, example: Tensor, about: dict[str, str], file: Location) -> Run:
    import onnxruntime

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own parts
        program: Any = torch.onnx.export(
            grader,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: "images"},),
            input_names=["pixels"],
            output_names=["probabilities"],
            verbose=False,
        )
    program.model.metadata_props.update(about)
    program.save(file, external_data=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(["probabilities"], {"pixels": pixels})[0]
