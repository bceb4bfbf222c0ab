"""Commands that train: `train`, `tune`. Heavy imports wait until a command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skin_tune.cli.options import (
    Overrides,
    PackPath,
    Storage,
    TunedPack,
    TuneOptions,
    Wandb,
    spelled_out,
    typed_location,
)
from skin_tune.errors import ExperimentError
from skin_tune.processes.loading import quick_imports
from skin_tune.storage.files import Location

if TYPE_CHECKING:
    from skin_tune.tuning.experiment.request import TuneRequest


def train(
    pack: PackPath,
    overrides: Overrides = None,
    storage: Storage = Path("runs"),
    name: Annotated[str | None, typer.Option(help="Name of the run; its region and the time if not given.")] = None,
    resume: Annotated[
        Path | None, typer.Option(parser=typed_location, metavar="CHECKPOINT", help="Resume from a last.pt.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Choose the best epoch by it; val_balanced_acc if none.")] = None,
    wandb: Wandb = None,
    wandb_id: Annotated[str | None, typer.Option(help="Continue this wandb run instead of the training's own.")] = None,
) -> None:
    """Train one config on this machine, without a cluster."""
    from skin_tune.config import parse_overrides
    from skin_tune.show.training_line import training_line

    values = parse_overrides(overrides or [])
    with training_line("checking the pack") as progress:
        from skin_tune.show.experiments import print_training
        from skin_tune.tuning.local_training import TrainRequest, run_training

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


@spelled_out
def tune(options: TuneOptions, pack: TunedPack = None, overrides: Overrides = None) -> None:
    """Search a space of configs for a region's best grader.

    With Ray Tune and ASHA, on the running cluster, else on this machine. Ctrl-C, SIGTERM or SIGHUP stop it and keep
    the results so far; `tune --name NAME --resume` resumes it.
    """
    if pack is not None and "=" in pack.name and not pack.exists():  # the name=value words of a --resume without PACK
        pack, overrides = None, [str(pack), *(overrides or [])]
    if pack is None and not (options.resume and options.name):
        raise ExperimentError("tune needs a PACK, or the --name of an experiment to --resume")
    tune_pack(pack, overrides, options)


def tune_pack(
    pack: Location | None, overrides: list[str] | None, options: TuneOptions, region: str | None = None
) -> None:
    """Run one experiment and print its outcome; without `pack` resume the one of that name, of `region` if given."""
    from skin_tune.tuning.tracking.live_line import live_line

    with live_line("checking the experiment"):
        with quick_imports():
            from skin_tune.data.pack.format import open_pack
            from skin_tune.show.experiments import print_outcome
            from skin_tune.tuning.experiment.runner import run_experiment
        region = open_pack(pack).info.region if pack is not None else region
        outcome = run_experiment(tune_request(pack, region, overrides, options))
    print_outcome(outcome, options.storage, options.price_per_gpu_hour)


def tune_request(
    pack: Location | None, region: str | None, overrides: list[str] | None, options: TuneOptions
) -> "TuneRequest":
    """The request of `tune`'s options; without `pack` and `region`, for the one experiment of that name to resume."""
    from skin_tune.config import parse_overrides
    from skin_tune.tuning.experiment.options import tune_request as request_of_options

    return request_of_options(pack, region, parse_overrides(overrides or []), vars(options))
