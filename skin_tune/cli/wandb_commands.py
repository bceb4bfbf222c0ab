"""Commands between the store and wandb: `wandb-sync`, `import-wandb`.

Heavy imports wait until a command runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from skin_tune.cli.options import Storage, Wandb


def wandb_sync(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment of the store.")],
    region: Annotated[str | None, typer.Option(help="Its region, where several have one of that name.")] = None,
    storage: Storage = Path("runs"),
    wandb: Wandb = None,
) -> None:
    """Write an experiment's wandb runs again from the store.

    Under the ids they have, as far as they lack anything; what is whole is left as it is.
    """
    from skin_tune.show.progress import counting
    from skin_tune.text.wording import counted
    from skin_tune.tuning.tracking.wandb_sync import sync_experiment

    with counting("wandb runs") as progress:
        synced = sync_experiment(storage, experiment, region, wandb, progress)
    whole, runs = synced.runs - synced.written, counted(synced.runs, "run")
    print(f"{experiment} ({synced.region}): {runs}, {synced.written} written again, {whole} were whole")


def import_wandb(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder `wandb`, or that of one run in it.")],
    experiment: Annotated[
        str | None, typer.Option(help="Experiment of all runs; of their group, sweep or project if none.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region of runs that skin-tune did not write.")] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="Such as val/acc=val_acc, or lr=learning_rate; repeatable."),
    ] = None,
    storage: Storage = Path("runs"),
) -> None:
    """Take finished wandb runs into the results store.

    Of skin-tune or of a hand-written loop, from their files, without a network. Those that are there already stay.
    """
    from skin_tune.show.imported import print_imported
    from skin_tune.tuning.tracking.live_line import live_line
    from skin_tune.tuning.wandb_import.renames import parse_renames

    renames = parse_renames(rename or [])
    with live_line("reading wandb's files"):
        from skin_tune.tuning.wandb_import.importer import ImportRequest, import_runs

        imported = import_runs(ImportRequest(folder, storage, experiment, region, renames))
    print_imported(imported)
