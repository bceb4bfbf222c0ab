"""Commands on what experiments have left: `trials`, `compare`, `confirm`, `audit`, `combine`, `refit`.

Heavy imports wait until a command runs.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from skin_tune.cli.options import Format, RunOptions, Storage, Wandb, request_of, spelled_out, typed_location
from skin_tune.processes.loading import quick_imports
from skin_tune.text.escaping import error_line, escaped


@spelled_out
def confirm(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment of the store.")],
    options: RunOptions,
    region: Annotated[str | None, typer.Option(help="Its region, where several have one of that name.")] = None,
    top: Annotated[int, typer.Option(help="How many of the best configs.")] = 5,
    seeds: Annotated[int, typer.Option(help="How many runs of each.")] = 5,
    folds: Annotated[
        int | None, typer.Option(help="Judge by so many folds of the people of train and val, not by val alone.")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(parser=typed_location, metavar="PATH", help="The experiment's pack, if it was moved.")
    ] = None,
) -> None:
    """Run the best configs again with new seeds, name a champion.

    With --folds every person of train and val is graded by models that never saw them, at so many times the cost.
    Finished runs are not repeated: the same command resumes, and --top and --seeds may grow.
    """
    from skin_tune.tuning.tracking.live_line import live_line

    with live_line("checking the experiment"):
        with quick_imports():
            from skin_tune.results.statistics.confirmation import championship
            from skin_tune.show.studies import print_confirmation
            from skin_tune.tuning.experiment.fixed_configs import Resources
            from skin_tune.tuning.studies.confirm import ConfirmRequest, run_confirm

        resources = request_of(Resources, options)
        done = run_confirm(ConfirmRequest(experiment, region, top, seeds, folds, pack, options.storage, resources))
    result = championship(options.storage, done.region, done.experiment, done.runs, done.metric)
    print_confirmation(done, result, options.storage, options.price_per_gpu_hour)


def audit(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment confirmed with --folds.")],
    region: Annotated[str | None, typer.Option(help="Its region, where several have one of that name.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many photos.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page of their crops; it stays on this machine.")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(parser=typed_location, metavar="PATH", help="The experiment's pack, if it was moved.")
    ] = None,
    storage: Storage = Path("runs"),
    format: Format = "table",
) -> None:
    """List photos whose grades are in doubt.

    Models that never saw them contradict their grades. The most doubtful come first: 20 of them in a table, 100 in
    --pictures, all as csv or json.
    """
    from skin_tune.show.doubtful import print_doubtful
    from skin_tune.show.experiments import check_format
    from skin_tune.tuning.studies.audit import SHOWN_PICTURES, run_audit, write_pictures

    check_format(format)
    found = run_audit(storage, experiment, region, pack)
    if pictures is not None:
        count = write_pictures(found, pictures, limit or SHOWN_PICTURES)
        print(escaped(f"{pictures}: {count} photos; open it in a browser"), file=sys.stderr)
    print_doubtful(found.rows, format, limit)


def combine(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment of the store.")],
    region: Annotated[str | None, typer.Option(help="Its region, where several have one of that name.")] = None,
    top: Annotated[int, typer.Option(help="How many of the best trials.")] = 3,
    pack: Annotated[
        Path | None, typer.Option(parser=typed_location, metavar="PATH", help="The experiment's pack, if it was moved.")
    ] = None,
    storage: Storage = Path("runs"),
) -> None:
    """Combine the best trials into one model.

    It grades by the mean of their adjusted probabilities. Says whether that beats the best alone by more than noise.
    """
    from skin_tune.tuning.tracking.live_line import live_line

    with live_line("checking the experiment"):
        from skin_tune.show.studies import print_combination
        from skin_tune.tuning.studies.combine import CombineRequest, run_combine

        done = run_combine(CombineRequest(experiment, region, top, pack, storage))
    print_combination(done)


def refit(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment of the store.")],
    region: Annotated[str | None, typer.Option(help="Its region, where several have one of that name.")] = None,
    trial: Annotated[str | None, typer.Option(help="Train this trial's config; the best one's if none.")] = None,
    workers: Annotated[int, typer.Option(help="Workers that share each batch; each takes a GPU if any.")] = 1,
    include_val: Annotated[bool, typer.Option("--include-val", help="Train on the validation images, too.")] = False,
    pack: Annotated[
        Path | None, typer.Option(parser=typed_location, metavar="PATH", help="The experiment's pack, if it was moved.")
    ] = None,
    storage: Storage = Path("runs"),
    wandb: Wandb = None,
    wandb_artifacts: Annotated[
        bool, typer.Option("--wandb-artifacts", help="Log model.pt and model_card.md to wandb, too; never a photo.")
    ] = False,
) -> None:
    """Train the best config once more, and test it once.

    Writes the model and its model card, and notes in the store that the test split was opened.
    """
    from skin_tune.show.training_line import training_line

    with training_line("checking the experiment") as progress:
        from skin_tune.show.experiments import print_refit
        from skin_tune.tuning.refit.plan import RefitRequest
        from skin_tune.tuning.refit.runner import run_refit

        request = RefitRequest(
            experiment=experiment,
            region=region,
            trial=trial,
            workers=workers,
            include_val=include_val,
            pack=pack,
            storage=storage,
            wandb=wandb,
            wandb_artifacts=wandb_artifacts,
        )
        outcome = run_refit(request, progress)
    print_refit(outcome)


def trials(
    storage: Storage = Path("runs"),
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Only this experiment.")] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Best of this first; that they were chosen by if none.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many rows.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Columns to show, by their headings or as the store calls them."),
    ] = None,
    format: Format = "table",
) -> None:
    """List trials from the results store, best first."""
    from skin_tune.results.store.ranking import metric_of, rank_trials
    from skin_tune.show.experiments import check_format, print_trials

    check_format(format)
    ranked = rank_trials(storage, region=region, experiment=experiment, sort=sort, limit=limit)
    print_trials(ranked, format, columns, sort or metric_of(ranked))


def compare(
    experiments: Annotated[
        list[str] | None, typer.Argument(metavar="[EXPERIMENT]...", help="Of the store; all if none.")
    ] = None,
    storage: Storage = Path("runs"),
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="TRIAL", help="Hold the others against this trial; the best if none.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Compare by this; that they were chosen by if none.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="By group: gender, age, skin_type, device, angle. The worst, and the gap."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows for each region.")] = None,
    format: Format = "table",
) -> None:
    """Compare trials with intervals, and show what may be chance.

    On the validation split; intervals are over subjects.
    """
    from skin_tune.results.statistics.compare import compare_regions
    from skin_tune.show.comparison import print_comparisons
    from skin_tune.show.experiments import check_format

    check_format(format)
    comparisons, failed = compare_regions(
        storage, region, experiments or [], metric=sort, baseline=baseline, by=() if by is None else by
    )
    print_comparisons(comparisons, format, limit)
    for error in failed:
        print(error_line(f"not compared: {error}"), file=sys.stderr)
