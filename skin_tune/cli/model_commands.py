"""Commands that use a finished model: `evaluate`, `predict`, `export`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

from skin_tune.cli.options import Format, ModelPath, PackPath, Storage, typed_location
from skin_tune.text.escaping import escaped
from skin_tune.text.wording import counted


def evaluate(
    model: ModelPath,
    pack: PackPath,
    split: Annotated[str, typer.Option(help="test, val or train; each opening of a test split is recorded.")] = "test",
    storage: Storage = Path("runs"),
    format: Format = "table",
) -> None:
    """Grade a split of a pack with a model, class by class."""
    from skin_tune.show.experiments import check_format
    from skin_tune.tuning.studies.evaluate import run_evaluation

    check_format(format)
    done = run_evaluation(model, pack, split, storage)
    from skin_tune.show.model import print_evaluated  # loads PyTorch: not before the checks

    print_evaluated(done, format)


def predict(
    model: ModelPath,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photos, crops, or folders of them.")],
    labels: Annotated[
        Path | None, typer.Option(help="AI-Hub: the tree of label files, if they are not beside their photos.")
    ] = None,
    format: Format = "table",
) -> None:
    """Grade photos with a model.

    Those with AI-Hub label files are cut by them, others are taken as crops of the region.
    """
    from skin_tune.data.preparation.inference_crops import find_photos, wanted_crops
    from skin_tune.errors import NothingGradedError
    from skin_tune.show.experiments import check_format
    from skin_tune.show.progress import counting
    from skin_tune.training.checkpoint_file import check_is_file

    check_format(format)
    check_is_file(model)
    photos = find_photos(images)
    from skin_tune.inference.model_file import load_model  # load PyTorch: not before the checks
    from skin_tune.inference.predict import predict as graded
    from skin_tune.show.model import print_predictions

    loaded = load_model(model)
    wanted = wanted_crops(photos, loaded.region, labels)
    with counting("photos") as progress:
        predictions = graded(loaded, wanted, progress)
    print_predictions(predictions, loaded, format)
    if all(prediction.reason for prediction in predictions):
        raise NothingGradedError(f"none of {counted(len(photos), 'photo')} could be graded, such as {str(photos[0])!r}")


def export(
    model: ModelPath,
    format: Annotated[str | None, typer.Option(help="onnx or pt2 (torch.export); told from --out, or onnx.")] = None,
    out: Annotated[
        Path | None, typer.Option(parser=typed_location, metavar="FILE", help="Beside the model if not given.")
    ] = None,
    pack: Annotated[
        Path | None,
        typer.Option(parser=typed_location, metavar="PACK", help="Check the export on its validation images."),
    ] = None,
) -> None:
    """Write a model as a program of its own, and check it.

    From uint8 pixels to probabilities, held against the model.
    """
    from skin_tune.data.pack.format import open_pack
    from skin_tune.inference.export_formats import check_format
    from skin_tune.training.checkpoint_file import check_is_file

    form = format or ("pt2" if out is not None and out.suffix == ".pt2" else "onnx")
    check_format(form)
    check_is_file(model)
    checked_on = open_pack(pack) if pack else None
    from skin_tune.inference.export import (  # loads PyTorch: not before the checks
        TOLERANCE,
        export_model,
        sample_images,
    )
    from skin_tune.inference.model_file import load_model

    loaded = load_model(model)
    file = out or model.with_suffix(f".{form}")
    images = sample_images(loaded, checked_on)
    difference = export_model(loaded, form, file, images)
    of = f"validation images of {pack}" if pack else "random images"
    shape = f"uint8 [N, {loaded.crop_size}, {loaded.crop_size}, 3] -> probabilities [N, {len(loaded.classes)}]"
    print(escaped(f"{file}: {shape}"))
    print(
        escaped(f"largest difference from the model on {len(images)} {of}: {difference:.1e} (at most {TOLERANCE:.0e})")
    )
