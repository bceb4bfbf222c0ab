"""Options that several commands share, said once."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

import typer
from typer.models import ParameterInfo

from skin_tune.data.sources.files import MAX_MEGAPIXELS
from skin_tune.storage.files import is_local, location
from skin_tune.text.numbers import number_from, whole_number_from

_Request = TypeVar("_Request")


def typed_location(given: str | Path) -> Path:
    """A path that was typed; one in a bucket is tried at once, so that a mistake in it ends in one line."""
    path: Any = location(given)
    if is_local(path) or "_SKIN_TUNE_COMPLETE" in os.environ:  # a shell asks what may follow, not whether it is there
        return path
    return path.check()


Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Hyper-parameters, such as epochs=20.")
]
Storage = Annotated[
    Path,
    typer.Option(
        envvar="SKIN_TUNE_STORAGE",
        parser=typed_location,
        metavar="PATH",
        help="Where experiments and results are stored: a folder or s3://bucket/name.",
    ),
]
Packs = Annotated[
    Path,
    typer.Option(
        envvar="SKIN_TUNE_PACKS",
        parser=typed_location,
        metavar="PATH",
        help="Where packs are stored: a folder or s3://bucket/name.",
    ),
]
PackPath = Annotated[
    Path,
    typer.Argument(
        parser=typed_location, metavar="PACK", help="A pack written by `prepare`: a file, or s3://bucket/name."
    ),
]
TunedPack = Annotated[
    Path | None,
    typer.Argument(
        parser=typed_location,
        metavar="PACK",
        help="A pack written by `prepare`: a file, or s3://bucket/name. --resume finds its own.",
        show_default=False,
    ),
]
ModelPath = Annotated[
    Path,
    typer.Argument(
        parser=typed_location,
        metavar="MODEL",
        help="A trial's best.pt or a refit's model.pt: a file, or s3://bucket/name.",
    ),
]
Format = Annotated[str, typer.Option(help="table, csv or json.")]
Wandb = Annotated[
    str | None, typer.Option(help="online, offline or disabled; WANDB_MODE, or online if a key is configured.")
]


@dataclass(frozen=True)
class SourceOptions:
    """How raw data are read, cut and split."""

    format: Annotated[str | None, typer.Option(help="aihub, folders or csv; told from the data if not given.")] = None
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the photos are, if not under SOURCE or beside the CSV.")
    ] = None
    size: Annotated[int, typer.Option(help="Side of the prepared crops in pixels.")] = 256
    path_column: Annotated[str | None, typer.Option(help="CSV: the column of photos; path if not given.")] = None
    label_column: Annotated[str | None, typer.Option(help="CSV: the column of grades; label if not given.")] = None
    subject_column: Annotated[str | None, typer.Option(help="CSV: the column that names the subject.")] = None
    subject_pattern: Annotated[
        str | None, typer.Option(help="Regular expression for the subject in an image's path.")
    ] = None
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="The classes in order, such as none,mild,severe; others are left out."),
    ] = None
    nominal: Annotated[
        bool, typer.Option("--nominal", help="The classes have no order: no MAE, QWK or expected grade.")
    ] = False
    split: Annotated[
        str | None, typer.Option(help="Percentages of train/val/test subjects; the data's own split, else 60/20/20.")
    ] = None
    split_seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0
    max_megapixels: Annotated[int, typer.Option(help="Refuse photos that are larger.")] = MAX_MEGAPIXELS
    allow_losses: Annotated[
        bool, typer.Option("--allow-losses", help="Pack what is left even if more than half of the rows are lost.")
    ] = False
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a pack that experiments were run on.")] = False


@dataclass(frozen=True)
class TuneOptions:
    """How a space is searched, and on what."""

    space: Annotated[Path | None, typer.Option(help="Search space; the region's own or the default if none.")] = None
    name: Annotated[str | None, typer.Option(help="Name of the experiment; made of the time if not given.")] = None
    trials: Annotated[
        int | None, typer.Option(help="Trials to run; if not given the space's run_cap, else its whole grid or 32.")
    ] = None
    storage: Storage = Path("runs")
    seed: Annotated[
        int | None, typer.Option(help="Seed of the search, and of the trials unless seed= is given; 0 if none.")
    ] = None
    workers_per_trial: Annotated[
        int | None, typer.Option(help="Workers that share a trial's batches, 1 if none; each takes a GPU if any.")
    ] = None
    cpus_per_trial: Annotated[int | None, typer.Option(help="CPUs, and torch threads, of a trial.")] = None
    gpus_per_trial: Annotated[float | None, typer.Option(help="GPUs of a trial, or a share of one.")] = None
    concurrent: Annotated[int | None, typer.Option(help="At most so many trials at a time.")] = None
    time_budget: Annotated[str | None, typer.Option(help="End after this long, such as 30m or 2h.")] = None
    gpu_hours: Annotated[float | None, typer.Option(help="End once trials have held GPUs for so many hours.")] = None
    image_budget: Annotated[
        int | None, typer.Option(help="End once trials have drawn so many images to train on, such as 2e6.")
    ] = None
    until: Annotated[
        str | None,
        typer.Option(
            metavar="settled|end", help="settled: start none once the last 18 beat the best by no more than its noise."
        ),
    ] = None
    price_per_gpu_hour: Annotated[float | None, typer.Option(help="Show costs in money, too.")] = None
    max_failures: Annotated[
        int | None, typer.Option(help="How often a trial whose process died is restored; 3 if none.")
    ] = None
    keep_checkpoints: Annotated[
        int | None, typer.Option(help="How many of the best trials keep their model; 10 if none.")
    ] = None
    warm_start: Annotated[
        list[str] | None, typer.Option(help="Try the best configs of this region or experiment first; repeatable.")
    ] = None
    wandb: Wandb = None
    tensorboard: Annotated[
        bool | None,
        typer.Option("--tensorboard/--no-tensorboard", help="Write event files to STORAGE/tensorboard, too."),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the experiment --name, with the options it was started with.")
    ] = False


@dataclass(frozen=True)
class RunOptions:
    """Storage and resources of runs of fixed configs."""

    storage: Storage = Path("runs")
    cpus_per_trial: Annotated[int | None, typer.Option(help="CPUs, and torch threads, of a run.")] = None
    gpus_per_trial: Annotated[float | None, typer.Option(help="GPUs of a run, or a share of one.")] = None
    concurrent: Annotated[int | None, typer.Option(help="At most so many runs at a time.")] = None
    price_per_gpu_hour: Annotated[float | None, typer.Option(help="Show costs in money, too.")] = None
    wandb: Wandb = None


def request_of(kind: type[_Request], options: Any, **more: Any) -> _Request:
    """A request of the dataclass `kind`: `more`, and each option that has the name of one of its fields."""
    shared = {field.name for field in fields(cast(Any, kind))} & {field.name for field in fields(options)}
    return kind(**{name: getattr(options, name) for name in shared - more.keys()}, **more)


def read_numbers_strictly(command: Callable[..., Any]) -> None:
    """Have typer read the numeric options of `command` as config values are read; its own reader takes 1_0 for ten."""
    for hint in get_type_hints(command, include_extras=True).values():
        if get_origin(hint) is not Annotated:
            continue
        kind, *others = get_args(hint)
        numeric = {int, float} & {kind, *get_args(kind)}
        for info in others:
            if numeric and isinstance(info, ParameterInfo) and info.parser is None:
                (number,) = numeric
                info.parser = _reader(number, info.min)
                info.metavar = info.metavar or f"<{number.__name__}>"


def _reader(kind: type, least: float | None) -> Callable[[Any], int | float]:
    """A parser for typer, whose message ends with the value that was given."""

    def read(given: Any) -> int | float:
        try:
            number = whole_number_from(given) if kind is int else float(number_from(given))
        except (TypeError, ValueError):
            wanted = "a whole number, such as 10" if kind is int else "a finite number, such as 0.5"
            raise typer.BadParameter(f"needs {wanted}") from None
        if least is not None and number < least:
            raise typer.BadParameter(f"needs at least {least:g}")
        return number

    return read


def spelled_out(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with each parameter that is a dataclass of options replaced by those options, as typer reads them."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if is_dataclass(kind) and isinstance(kind, type)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
            continue
        kinds = get_type_hints(group, include_extras=True)
        parameters += [
            parameter.replace(name=field.name, annotation=kinds[field.name], default=field.default)
            for field in fields(group)
        ]

    def gathered(**values: Any) -> None:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**values, **made)

    required_first = sorted(parameters, key=lambda parameter: parameter.default is not inspect.Parameter.empty)
    gathered.__name__, gathered.__doc__ = command.__name__, command.__doc__
    gathered.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    vars(gathered)["__signature__"] = inspect.Signature(required_first)
    return gathered
