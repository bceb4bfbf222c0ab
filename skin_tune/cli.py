"""The command line: reads arguments, calls the rooms, prints. Heavy imports wait until a command runs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from skin_tune import __version__, cli_model, cli_results, interruption
from skin_tune.errors import ClusterLostError, ExperimentError, SkinTuneError
from skin_tune.options import (
    Overrides,
    PackPath,
    Packs,
    SourceOptions,
    Storage,
    TunedPack,
    TuneOptions,
    Wandb,
    read_numbers_strictly,
    spelled_out,
    typed_location,
)
from skin_tune.text import error_line, escaped
from skin_tune.wording import counted

if TYPE_CHECKING:
    from skin_tune.tuning.plan import TuneRequest

_STYLE: Any = {
    "context_settings": {"help_option_names": ["-h", "--help"]},
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}
_NAME = "skin-tune"

app = typer.Typer(name=_NAME, no_args_is_help=True, **_STYLE)

Sources = Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="AI-Hub tree, class folders, or CSV files.")]

UsageError: Any = typer.BadParameter.__base__
"""What typer raises for a missing or malformed argument; it has no public name."""


INTERRUPTED = 130


def main() -> None:
    """Entry point of `skin-tune`: a user's mistake ends in one line and exit code 2."""
    run(app)


def run(program: typer.Typer) -> None:
    """Run a program; print what the user got wrong as one line and leave with its exit code.

    Ctrl-C, SIGTERM and SIGHUP end it in one line, too, with the exit code that a shell gives them: 130, 143 and 129.
    """
    with interruption.listening():
        _run(program)


def _run(program: typer.Typer) -> None:
    for command in program.registered_commands:
        assert command.callback is not None
        read_numbers_strictly(command.callback)
    try:
        name = _NAME if program is app else None
        status = typer.main.get_command(program).main(prog_name=name, standalone_mode=False)
    except UsageError as error:
        if program is app and len(sys.argv) == 1:  # the message is the help text
            _leave(error.format_message(), 0)
        from skin_tune.cli_usage import usage_message

        _leave(error_line(f"error: {usage_message(error)}"), 2)
    except SkinTuneError as error:
        if interruption.received():
            _leave(error_line(f"interrupted: {error}"), interruption.exit_code())
        _leave(error_line(f"error: {error}"), error.exit_code, lost=isinstance(error, ClusterLostError))
    except OSError as error:
        if error.filename is None:
            raise
        _leave(error_line(f"error: {str(error.filename)!r} cannot be used: {error.strerror}"), 2)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED or interruption.received():  # typer turns Ctrl-C into this status
        _leave("interrupted", interruption.exit_code())


def _leave(message: str, exit_code: int, *, lost: bool = False) -> NoReturn:
    interruption.tell(message)
    if interruption.received() or lost:  # Ray would wait for what is not there any more
        interruption.end_now(exit_code)
    sys.exit(exit_code)


def single_command(function: Callable[..., None]) -> None:
    """Run one function as a program of its own: what the scripts in jobs/ do."""
    program = typer.Typer(add_completion=False, **_STYLE)
    program.command()(function)
    run(program)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{_NAME} {__version__}")
        raise typer.Exit


@app.callback()
def options_of_all(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Tune ResNet graders for badly imbalanced skin grades on a Ray cluster."""


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
    print(escaped(f"{counted(photos, 'photo')} of {counted(subjects, 'artificial subject')} in {out}"))


@app.command()
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
        max_megapixels=options.max_megapixels,
    )
    with stages() as progress:
        outcomes = prepare(request, progress)
    for outcome in outcomes:
        print_prepared(outcome)
    return {outcome.region: SourceError(outcome.error) for outcome in outcomes if outcome.error}


@app.command()
def inspect(pack: PackPath) -> None:
    """Show a pack's classes, counts and split.

    With what the default config would oversample, and the class-balanced weights of usual betas.
    """
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
    from skin_tune.show.training_line import training_line

    values = parse_overrides(overrides or [])
    with training_line() as progress:
        from skin_tune.show.trials import print_training
        from skin_tune.tuning.single import TrainRequest, run_training

        request = TrainRequest(
            pack=pack,
            overrides=values,
            storage=storage,
            name=name,
            resume=resume,
            metric=metric,
            wandb=wandb,
            wandb_id=wandb_id,
        )
        outcome = run_training(request, progress)
    print_training(outcome)


@app.command()
@spelled_out
def tune(options: TuneOptions, pack: TunedPack = None, overrides: Overrides = None) -> None:
    """Search a space of configs for a region's best grader.

    With Ray Tune and ASHA, on the cluster there is, or on this machine. Ctrl-C, SIGTERM or SIGHUP end it with what
    there is; `tune --name NAME --resume` goes on.
    """
    if pack is not None and "=" in pack.name and not pack.exists():  # the name=value words of a --resume without PACK
        pack, overrides = None, [str(pack), *(overrides or [])]
    if pack is None and not (options.resume and options.name):
        raise ExperimentError("tune needs a PACK, or the --name of an experiment to --resume")
    tune_pack(pack, overrides, options)


def tune_pack(pack: Path | None, overrides: list[str] | None, options: TuneOptions, region: str | None = None) -> None:
    """Run one experiment and print its outcome; without `pack` the one of that name, of `region` if given, goes on."""
    from skin_tune.tuning.live_line import live_line

    with live_line("loading PyTorch"):
        from skin_tune.data.pack import open_pack
        from skin_tune.show.trials import print_outcome
        from skin_tune.tuning.experiment import run_experiment

        region = open_pack(pack).info.region if pack is not None else region
        outcome = run_experiment(tune_request(pack, region, overrides, options))
    print_outcome(outcome, options.storage, options.price_per_gpu_hour)


def tune_request(
    pack: Path | None, region: str | None, overrides: list[str] | None, options: TuneOptions
) -> "TuneRequest":
    """What the options of `tune` ask for; without `pack` and `region`, of the one experiment of the name to resume."""
    from skin_tune.config import parse_overrides
    from skin_tune.paths import find_space
    from skin_tune.tuning.noted import FLAGS
    from skin_tune.tuning.plan import TuneRequest, parse_duration
    from skin_tune.tuning.resumed import find_asked, resumed_request

    given: dict[str, Any] = {name: getattr(options, name) for name in FLAGS}
    if options.time_budget is not None:
        given["time_budget"] = parse_duration(options.time_budget)
    typed = {name: value for name, value in given.items() if value is not None}
    typed["overrides"] = parse_overrides(overrides or [])
    if options.resume and options.name is not None:
        region, asked = find_asked(options.storage, options.name, region)
        typed |= {"pack": pack, "space": options.space}
        return resumed_request(region, asked, options.storage, options.name, typed)
    return TuneRequest(
        pack=pack or Path(),
        space=find_space(region or "", options.space),
        name=options.name,
        storage=options.storage,
        resume=options.resume,
        **typed,
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
