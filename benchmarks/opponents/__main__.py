"""Compare skin-tune with what a lab would do instead, at equal numbers of images drawn in training.

`loop` is a hand-written loop in four variants (cross-entropy, class-balanced focal loss, oversampling, both), the best
by validation; `loop+` the same with random resized crops, flips and the decision adjusted by the prior; `optuna` and
`optuna+` are Optuna around each; `skin-tune` is `skin-tune tune`, and `combine` the mean of its three best trials. All
train a ResNet-18 from random weights, may draw as many images as four loops do, choose by validation balanced accuracy,
and test one model, once.

    python -m benchmarks.opponents run --data ham10000/labels.csv --subject-column group --nominal \\
        --work opponents --split-seeds 0,1,2 --fraction 0.1
    python -m benchmarks.opponents run --pack packs/lip_dryness-72.arrow --work lips --only loop,optuna
    python -m benchmarks.opponents table --work opponents

A split seed draws the people (a `--fraction` of each class), splits them 60/20/20 anew and seeds the training. A result
that is there is not computed again, so that an interrupted run resumes with the same command. `digits DIR` writes
scikit-learn's digits with a long tail as class folders for `--data`.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.opponents.digits import write_digits
from benchmarks.opponents.results import OpponentsError
from benchmarks.opponents.run import OPPONENTS, run_opponents
from benchmarks.opponents.table import make_table
from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.errors import SkinTuneError
from skin_tune.text.escaping import error_line

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)

_SPACE = Path(__file__).parents[1] / "ham10000.yaml"
_MARGIN = 9 / 8
"""The crops of a pack are so many times larger than the network's input, to leave something to random crops."""

Work = Annotated[Path, typer.Option(help="Folder of packs, runs and results.")]


@app.command()
def run(
    work: Work,
    data: Annotated[Path | None, typer.Option(help="A CSV or class folders, as skin-tune prepare takes.")] = None,
    pack: Annotated[Path | None, typer.Option(help="A pack, instead of --data.")] = None,
    subject_column: Annotated[str | None, typer.Option(help="The CSV's column of people or lesions.")] = None,
    nominal: Annotated[bool, typer.Option("--nominal", help="The classes of --data have no order.")] = False,
    split_seeds: Annotated[str, typer.Option(help="Seeds separated by commas.")] = "0,1,2",
    fraction: Annotated[float, typer.Option(help="Share of the people to use.")] = 1.0,
    only: Annotated[str, typer.Option(help="Opponents separated by commas.")] = ",".join(OPPONENTS),
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a full-length run.")] = 6,
    image_size: Annotated[int, typer.Option(min=16, help="Side of the network's input in pixels.")] = 64,
    space: Annotated[Path, typer.Option(help="Search space of skin-tune.")] = _SPACE,
) -> None:
    """Run the opponents that have no result yet."""
    if data is not None and pack is None:
        open_base = partial(_prepared, data, work, subject_column, nominal, round(image_size * _MARGIN))
    elif pack is not None and data is None:
        open_base = partial(open_pack, pack)
    else:
        raise OpponentsError("give one of --data and --pack")
    if not 0 < fraction <= 1:
        raise OpponentsError(f"--fraction {fraction:g} is outside (0, 1]")
    if not all(word.isdecimal() for word in split_seeds.split(",")):
        raise OpponentsError(f"--split-seeds {split_seeds!r} are not whole numbers separated by commas, such as 0,1,2")
    if not space.is_file():
        raise OpponentsError(f"--space {str(space)!r} does not exist")
    run_opponents(
        open_base(),
        work,
        split_seeds=[int(word) for word in split_seeds.split(",")],
        opponents=only.split(","),
        fraction=fraction,
        epochs=epochs,
        image_size=image_size,
        space=space,
    )


@app.command()
def table(
    work: Work, reference: Annotated[str | None, typer.Option(help="Opponent to hold the others against.")] = None
) -> None:
    """Print means over split seeds and paired differences."""
    Console(width=200).print(make_table(work, reference))


@app.command()
def digits(folder: Path) -> None:
    """Write scikit-learn's digits, 120 down to 3 of a class, as class folders of 32 px."""
    write_digits(folder)


def _prepared(data: Path, work: Path, subject_column: str | None, nominal: bool, size: int) -> Pack:
    """The pack of all of `data`."""
    request = PrepareRequest(
        [data], "photos", size=size, out=work / "packs", subject_column=subject_column, nominal=nominal
    )
    return open_pack(prepare(request)[0].path)


def main() -> None:
    """Run a command; what a user can mend ends in one line and exit code 2."""
    try:
        app()
    except SkinTuneError as error:
        print(error_line(f"error: {error}"), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
