"""The command line: reads arguments, calls the rooms, prints. Heavy imports wait until a command runs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from skin_tune import cli_model, cli_results
from skin_tune.errors import SkinTuneError
from skin_tune.options import (
    Overrides,
    PackPath,
    Packs,
    SourceOptions,
    Storage,
    TuneOptions,
    Wandb,
    read_numbers_strictly,
    spelled_out,
    typed_location,
)

if TYPE_CHECKING:
    from skin_tune.tuning.plan import TuneRequest

app = typer.Typer(
    name="skin-tune",
    help="Tune ResNet graders for badly imbalanced skin grades on a Ray cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Sources = Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="AI-Hub tree, class folders, or CSV files.")]

UsageError: Any = typer.BadParameter.__base__
"""What typer raises for a missing or malformed argument; it has no public name."""


INTERRUPTED = 130


def main() -> None:
    """Entry point of `skin-tune`: a user's mistake ends in one line and exit code 2."""
    run(app)


def run(program: typer.Typer) -> None:
    """Run a program; print what the user got wrong as one line and leave with its exit code."""
    for command in program.registered_commands:
        assert command.callback is not None
        read_numbers_strictly(command.callback)
    try:
        status = typer.main.get_command(program).main(standalone_mode=False)
    except UsageError as error:
        if program is app and len(sys.argv) == 1:  # the message is the help text
            _leave(error.format_message(), 0)
        _leave(f"error: {' '.join(error.format_message().split())}{_given(error)}", 2)
    except SkinTuneError as error:
        _leave(f"error: {error}", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:  # typer turns Ctrl-C into this status
        _leave("interrupted", INTERRUPTED)


def _given(error: Any) -> str:
    """The value an option was given, which typer's messages leave out."""
    for option in getattr(getattr(error, "param", None), "opts", ()):
        for word, following in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
            if word == option or word.startswith(f"{option}="):
                return f", not {word.partition('=')[2] or following!r}"
    return ""


def _leave(message: str, exit_code: int) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(exit_code)


def single_command(function: Callable[..., None]) -> None:
    """Run one function as a program of its own: what the scripts in jobs/ do."""
    program = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    program.command()(function)
    run(program)


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to draw into.")],
    subjects: Annotated[int, typer.Option(help="How many people to draw.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed draws the same files.")] = 0,
) -> None:
    """Draw a small AI-Hub tree of artificial faces."""
    from skin_tune.data.sample import draw_sample
    from skin_tune.show.progress import counting

    with counting("drawing faces") as progress:
        photos = draw_sample(out, subjects=subjects, seed=seed, progress=progress)
    print(f"{photos} photos of {subjects} artificial subjects in {out}")


@app.command()
@spelled_out
def prepare(
    sources: Sources,
    region: Annotated[str, typer.Option(help="A region, several separated by commas, or all.")],
    options: SourceOptions,
    out: Packs = Path("packs"),
) -> None:
    """Read graded photos, crop, split by subject, and write one pack per region."""
    from skin_tune.errors import SourceError

    if failed := prepare_packs(sources, region, options, out):
        raise SourceError("; ".join(map(str, failed.values())))


def prepare_packs(sources: list[Path], region: str, options: SourceOptions, out: Path) -> dict[str, SkinTuneError]:
    """Prepare packs and print what is in them; the regions that have none now, each with its error.

    Raises SourceError where not one of several can be prepared.
    """
    from skin_tune.data.prepare import prepare
    from skin_tune.data.request import PrepareRequest
    from skin_tune.data.sources.classes import parse_classes
    from skin_tune.data.split import parse_ratios
    from skin_tune.errors import SourceError
    from skin_tune.show.progress import print_prepared, stages

    request = PrepareRequest(
        sources=sources,
        regions=region,
        format=options.format,
        images=options.images,
        size=options.size,
        out=out,
        path_column=options.path_column,
        label_column=options.label_column,
        subject_column=options.subject_column,
        subject_pattern=options.subject_pattern,
        classes=parse_classes(options.classes) if options.classes is not None else None,
        nominal=options.nominal,
        split_ratios=parse_ratios(options.split) if options.split is not None else None,
        split_seed=options.split_seed,
        allow_losses=options.allow_losses,
        replace=options.replace,
    )
    with stages() as progress:
        outcomes = prepare(request, progress)
    for outcome in outcomes:
        print_prepared(outcome)
    return {outcome.region: SourceError(outcome.error) for outcome in outcomes if outcome.error}


@app.command()
def inspect(pack: PackPath) -> None:
    """Show a pack's classes, counts and split, and what the default config would oversample."""
    from skin_tune.data.pack import open_pack
    from skin_tune.show.progress import print_pack

    print_pack(open_pack(pack))


@app.command()
def train(
    pack: PackPath,
    overrides: Overrides = None,
    storage: Storage = Path("runs"),
    name: Annotated[str | None, typer.Option(help="Name of the run; its region and the time if not given.")] = None,
    resume: Annotated[
        Path | None, typer.Option(parser=typed_location, metavar="CHECKPOINT", help="Go on from a last.pt.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Choose the best epoch by it; val_balanced_acc if none.")] = None,
    wandb: Wandb = None,
    wandb_id: Annotated[str | None, typer.Option(help="Go on with this wandb run; with its own if none.")] = None,
) -> None:
    """Train one config on this machine, without a cluster."""
    from skin_tune.config import parse_overrides
    from skin_tune.show.progress import training_bar
    from skin_tune.show.trials import print_training
    from skin_tune.tuning.single import TrainRequest, run_training

    request = TrainRequest(
        pack=pack,
        overrides=parse_overrides(overrides or []),
        storage=storage,
        name=name,
        resume=resume,
        metric=metric,
        wandb=wandb,
        wandb_id=wandb_id,
    )
    with training_bar() as progress:
        outcome = run_training(request, progress)
    print_training(outcome)


@app.command()
@spelled_out
def tune(pack: PackPath, options: TuneOptions, overrides: Overrides = None) -> None:
    """Search a space of configs for a region's best grader with Ray Tune and ASHA."""
    tune_pack(pack, overrides, options)


def tune_pack(pack: Path, overrides: list[str] | None, options: TuneOptions) -> None:
    """Run one experiment and print its outcome."""
    from skin_tune.data.pack import open_pack
    from skin_tune.show.trials import print_outcome
    from skin_tune.tuning.experiment import run_experiment

    region = open_pack(pack).info.region
    outcome = run_experiment(tune_request(pack, region, overrides, options))
    print_outcome(outcome, options.storage, options.price_per_gpu_hour)


def tune_request(pack: Path, region: str, overrides: list[str] | None, options: TuneOptions) -> "TuneRequest":
    """What the options of `tune` ask for."""
    from skin_tune.config import parse_overrides
    from skin_tune.paths import find_space
    from skin_tune.tuning.plan import TuneRequest, parse_duration

    return TuneRequest(
        pack=pack,
        space=find_space(region, options.space),
        overrides=parse_overrides(overrides or []),
        name=options.name,
        trials=options.trials,
        storage=options.storage,
        seed=options.seed,
        workers_per_trial=options.workers_per_trial,
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=options.gpus_per_trial,
        concurrent=options.concurrent,
        time_budget=parse_duration(options.time_budget) if options.time_budget is not None else None,
        gpu_hours=options.gpu_hours,
        max_failures=options.max_failures,
        keep_checkpoints=options.keep_checkpoints,
        warm_start=options.warm_start or (),
        wandb=options.wandb,
        resume=options.resume,
    )


for function in (
    cli_results.trials,
    cli_results.compare,
    cli_results.confirm,
    cli_results.refit,
    cli_results.report,
    cli_results.wandb_sync,
    cli_model.evaluate,
    cli_model.predict,
    cli_model.export,
):
    app.command()(function)
