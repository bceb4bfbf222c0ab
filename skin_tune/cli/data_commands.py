"""Commands that make and show packs: `sample`, `prepare`, `inspect`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

from skin_tune.cli.options import (
    PackPath,
    Packs,
    SourceOptions,
    request_of,
    spelled_out,
)
from skin_tune.errors import SkinTuneError
from skin_tune.text.escaping import escaped
from skin_tune.text.wording import counted

Sources = Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="AI-Hub tree, class folders, or CSV files.")]


def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to draw into.")],
    subjects: Annotated[int, typer.Option(help="How many people to draw.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed draws the same files.")] = 0,
) -> None:
    """Draw a small AI-Hub tree of artificial faces."""
    from skin_tune.data.synthetic.dataset import draw_sample
    from skin_tune.show.progress import counting

    with counting("drawing faces") as progress:
        photos = draw_sample(out, subjects=subjects, seed=seed, progress=progress)
    print(escaped(f"{counted(photos, 'photo')} of {counted(subjects, 'artificial subject')} in {out}"))


@spelled_out
def prepare(
    sources: Sources,
    region: Annotated[str, typer.Option(help="A region, several separated by commas, or all.")],
    options: SourceOptions,
    out: Packs = Path("packs"),
) -> None:
    """Read graded photos and write one pack per region.

    Photos are cropped and split by subject; what cannot be used goes to a quarantine file beside the pack.
    """
    from skin_tune.errors import SourceError

    if failed := prepare_packs(sources, region, options, out):
        raise SourceError("; ".join(map(str, failed.values())))


def prepare_packs(sources: list[Path], region: str, options: SourceOptions, out: Path) -> dict[str, SkinTuneError]:
    """Prepare packs and print what is in them; the error of each region that got no pack.

    Raises SourceError where not one of several can be prepared.
    """
    from skin_tune.data.pack.subject_split import parse_ratios
    from skin_tune.data.preparation.prepare import prepare
    from skin_tune.data.sources.classes import parse_classes
    from skin_tune.data.sources.request import PrepareRequest
    from skin_tune.errors import SourceError
    from skin_tune.show.progress import print_prepared, stages

    request = request_of(
        PrepareRequest,
        options,
        sources=sources,
        regions=region,
        out=out,
        classes=parse_classes(options.classes) if options.classes is not None else None,
        split_ratios=parse_ratios(options.split) if options.split is not None else None,
    )
    with stages() as progress:
        outcomes = prepare(request, progress)
    for outcome in outcomes:
        print_prepared(outcome)
    return {outcome.region: SourceError(outcome.error) for outcome in outcomes if outcome.error}


def inspect(pack: PackPath) -> None:
    """Show a pack's classes, counts and split.

    With what the default config would oversample, and the class-balanced weights of usual betas.
    """
    from skin_tune.data.pack.format import open_pack
    from skin_tune.show.progress import print_pack

    print_pack(open_pack(pack))
