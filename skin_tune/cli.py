"""The command line: reads arguments, calls the rooms, prints. Heavy imports wait until a command runs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from skin_tune.errors import SkinTuneError

app = typer.Typer(
    name="skin-tune",
    help="Tune ResNet graders for badly imbalanced skin grades on a Ray cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

PackPath = Annotated[Path, typer.Argument(metavar="PACK", help="A pack written by `prepare`.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Hyper-parameters, such as epochs=20.")
]
Storage = Annotated[Path, typer.Option(help="Folder for experiments and the results store.")]
Sources = Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="AI-Hub tree, class folders, or CSV files.")]
Format = Annotated[str | None, typer.Option(help="aihub, folders or csv; told from the data if not given.")]
Images = Annotated[Path | None, typer.Option(help="AI-Hub: the photo tree, if not under the labels' root.")]
Size = Annotated[int, typer.Option(help="Side of the prepared crops in pixels.")]
SubjectColumn = Annotated[str | None, typer.Option(help="CSV: the column that names the subject.")]
SubjectPattern = Annotated[str | None, typer.Option(help="Regular expression for the subject in an image's path.")]
Split = Annotated[str, typer.Option(help="Percentages of train/val/test subjects.")]
SplitSeed = Annotated[int, typer.Option(help="Seed of the split.")]
Space = Annotated[Path | None, typer.Option(help="Search space; the region's own or the default if none.")]
Name = Annotated[str | None, typer.Option(help="Name of the experiment; region and time if not given.")]
Trials = Annotated[int | None, typer.Option(help="Trials to run; the space's run_cap if not given.")]
Seed = Annotated[int, typer.Option(help="Seed of the search, and of the trials unless seed= is given.")]
WorkersPerTrial = Annotated[int, typer.Option(help="Workers that share a trial's batches; each takes a GPU if any.")]
CpusPerTrial = Annotated[int | None, typer.Option(help="CPUs, and torch threads, of a trial.")]
GpusPerTrial = Annotated[float | None, typer.Option(help="GPUs of a trial, or a share of one.")]
Concurrent = Annotated[int | None, typer.Option(help="At most so many trials at a time.")]
MaxFailures = Annotated[int, typer.Option(help="How often a trial whose process died goes on from its last epoch.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the experiment --name, which was interrupted.")]
KeepCheckpoints = Annotated[int, typer.Option(help="How many of the best trials keep their model.")]
Wandb = Annotated[str | None, typer.Option(help="online, offline or disabled; online if a key is configured.")]
TimeBudget = Annotated[str | None, typer.Option(help="End after this long, such as 30m or 2h.")]

UsageError: Any = typer.BadParameter.__base__
"""What typer raises for a missing or malformed argument; it has no public name."""


INTERRUPTED = 130


def main() -> None:
    """Entry point of `skin-tune`: a user's mistake ends in one line and exit code 2."""
    run(app)


def run(program: typer.Typer) -> None:
    """Run a program; print what the user got wrong as one line and leave with its exit code."""
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
    from skin_tune.terminal import counting

    with counting("drawing faces") as progress:
        photos = draw_sample(out, subjects=subjects, seed=seed, progress=progress)
    print(f"{photos} photos of {subjects} artificial subjects in {out}")


@app.command()
def prepare(
    sources: Sources,
    region: Annotated[str, typer.Option(help="A region, several separated by commas, or all.")],
    format: Format = None,
    images: Images = None,
    size: Size = 256,
    out: Annotated[Path, typer.Option(help="Folder for the packs.")] = Path("packs"),
    subject_column: SubjectColumn = None,
    subject_pattern: SubjectPattern = None,
    split: Split = "60/20/20",
    split_seed: SplitSeed = 0,
) -> None:
    """Read graded photos, crop, split by subject, and write one pack per region."""
    from skin_tune.data.prepare import PrepareRequest, prepare
    from skin_tune.data.split import parse_ratios
    from skin_tune.errors import SourceError
    from skin_tune.terminal import print_prepared, stages

    request = PrepareRequest(
        sources=sources,
        regions=region,
        format=format,
        images=images,
        size=size,
        out=out,
        subject_column=subject_column,
        subject_pattern=subject_pattern,
        split_ratios=parse_ratios(split),
        split_seed=split_seed,
    )
    with stages() as progress:
        outcomes = prepare(request, progress)
    for outcome in outcomes:
        print_prepared(outcome)
    if failed := [outcome.error for outcome in outcomes if outcome.error]:
        raise SourceError("; ".join(failed))


@app.command()
def inspect(pack: PackPath) -> None:
    """Show a pack's classes, counts and split, and what the default config would oversample."""
    from skin_tune.data.pack import open_pack
    from skin_tune.terminal import print_pack

    print_pack(open_pack(pack))


@app.command()
def train(
    pack: PackPath,
    overrides: Overrides = None,
    storage: Storage = Path("runs"),
    name: Annotated[str | None, typer.Option(help="Name of the run; its region and the time if not given.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="CHECKPOINT", help="Go on from a last.pt.")] = None,
    metric: Annotated[str | None, typer.Option(help="Choose the best epoch by it; val_balanced_acc if none.")] = None,
    wandb: Wandb = None,
    wandb_id: Annotated[str | None, typer.Option(help="Go on with this wandb run; with its own if none.")] = None,
) -> None:
    """Train one config on this machine, without a cluster."""
    from skin_tune.config import parse_overrides
    from skin_tune.terminal import print_training, training_bar
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
def tune(
    pack: PackPath,
    overrides: Overrides = None,
    space: Space = None,
    name: Name = None,
    trials: Trials = None,
    storage: Storage = Path("runs"),
    seed: Seed = 0,
    workers_per_trial: WorkersPerTrial = 1,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    concurrent: Concurrent = None,
    time_budget: TimeBudget = None,
    max_failures: MaxFailures = 3,
    keep_checkpoints: KeepCheckpoints = 10,
    wandb: Wandb = None,
    resume: Resume = False,
) -> None:
    """Search a space of configs for a region's best grader with Ray Tune and ASHA."""
    from skin_tune.config import parse_overrides
    from skin_tune.data.pack import open_pack
    from skin_tune.paths import find_space
    from skin_tune.terminal import print_outcome
    from skin_tune.tuning.experiment import TuneRequest, parse_duration, run_experiment

    request = TuneRequest(
        pack=pack,
        space=space or find_space(open_pack(pack).info.region),
        overrides=parse_overrides(overrides or []),
        name=name,
        trials=trials,
        storage=storage,
        seed=seed,
        workers_per_trial=workers_per_trial,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        concurrent=concurrent,
        time_budget=parse_duration(time_budget) if time_budget is not None else None,
        max_failures=max_failures,
        keep_checkpoints=keep_checkpoints,
        wandb=wandb,
        resume=resume,
    )
    print_outcome(run_experiment(request), storage)


@app.command()
def refit(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment of the store.")],
    region: Annotated[str | None, typer.Option(help="Its region, where several have one of that name.")] = None,
    trial: Annotated[str | None, typer.Option(help="Train this trial's config; the best one's if none.")] = None,
    workers: Annotated[int, typer.Option(help="Workers that share each batch; each takes a GPU if any.")] = 1,
    include_val: Annotated[bool, typer.Option("--include-val", help="Train on the validation images, too.")] = False,
    pack: Annotated[Path | None, typer.Option(help="The experiment's pack, if it has been moved.")] = None,
    storage: Storage = Path("runs"),
    wandb: Wandb = None,
) -> None:
    """Train an experiment's best config once more, evaluate it once on the test split, and write its model card."""
    from skin_tune.terminal import print_refit, training_bar
    from skin_tune.tuning.refit import RefitRequest, run_refit

    request = RefitRequest(
        experiment=experiment,
        region=region,
        trial=trial,
        workers=workers,
        include_val=include_val,
        pack=pack,
        storage=storage,
        wandb=wandb,
    )
    with training_bar() as progress:
        outcome = run_refit(request, progress)
    print_refit(outcome)


def tune_region(
    region: Annotated[str, typer.Argument(metavar="REGION", help="The region to tune.")],
    overrides: Overrides = None,
    data: Annotated[list[Path] | None, typer.Option(help="The raw data, to prepare where there is no pack.")] = None,
    packs: Annotated[Path, typer.Option(help="Folder of the packs.")] = Path("packs"),
    format: Format = None,
    images: Images = None,
    size: Size = 256,
    subject_column: SubjectColumn = None,
    subject_pattern: SubjectPattern = None,
    split: Split = "60/20/20",
    split_seed: SplitSeed = 0,
    space: Space = None,
    name: Name = None,
    trials: Trials = None,
    storage: Storage = Path("runs"),
    seed: Seed = 0,
    workers_per_trial: WorkersPerTrial = 1,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    concurrent: Concurrent = None,
    time_budget: TimeBudget = None,
    max_failures: MaxFailures = 3,
    keep_checkpoints: KeepCheckpoints = 10,
    wandb: Wandb = None,
    resume: Resume = False,
) -> None:
    """Tune one region: prepare its pack where there is none, then search its space."""
    from skin_tune.config import parse_overrides
    from skin_tune.errors import SourceError
    from skin_tune.paths import find_space, pack_path
    from skin_tune.tuning.experiment import parse_duration
    from skin_tune.tuning.space import load_space

    fixed = parse_overrides(overrides or [])
    load_space(space or find_space(region), fixed)
    if time_budget is not None:
        parse_duration(time_budget)
    if not region.isidentifier() or region == "all":
        raise SourceError(f"region {region!r} is not one plain name, such as forehead_wrinkle")
    pack = pack_path(packs, region, size)
    if pack.exists():
        print(f"using pack {pack}")
    else:
        if not data:
            raise SourceError(f"there is no pack {str(pack)!r} and no --data to prepare it from")
        prepare(data, region, format, images, size, packs, subject_column, subject_pattern, split, split_seed)
    tune(
        pack,
        overrides,
        space,
        name,
        trials,
        storage,
        seed,
        workers_per_trial,
        cpus_per_trial,
        gpus_per_trial,
        concurrent,
        time_budget,
        max_failures,
        keep_checkpoints,
        wandb,
        resume,
    )


@app.command()
def trials(
    storage: Storage = Path("runs"),
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Only this experiment.")] = None,
    sort: Annotated[str, typer.Option(metavar="METRIC", help="Best of this first.")] = "val_balanced_acc",
    limit: Annotated[int | None, typer.Option(help="At most so many rows.")] = None,
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
) -> None:
    """List trials from the results store, best first."""
    from skin_tune.results.ranking import rank_trials
    from skin_tune.terminal import check_format, print_trials

    check_format(format)
    print_trials(rank_trials(storage, region=region, experiment=experiment, sort=sort, limit=limit), format)
