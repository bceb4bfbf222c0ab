"""Commands of the scripts in jobs/: tune one region or all of them from raw data, run the ablation."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from skin_tune.cli.data_commands import prepare_packs
from skin_tune.cli.options import Overrides, Packs, RunOptions, SourceOptions, TuneOptions, request_of, spelled_out
from skin_tune.cli.tuning_commands import tune_pack, tune_request
from skin_tune.errors import ExperimentError, SkinTuneError, SomeRegionsFailedError, SourceError
from skin_tune.regions import CATALOGUE, is_region_name
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths, pack_path
from skin_tune.text.escaping import escaped

Data = Annotated[list[Path] | None, typer.Option(help="The raw data, to prepare where there is no pack.")]


@spelled_out
def tune_region(
    region: Annotated[str, typer.Argument(metavar="REGION", help="The region to tune.")],
    source: SourceOptions,
    options: TuneOptions,
    overrides: Overrides = None,
    data: Data = None,
    packs: Packs = Path("packs"),
) -> None:
    """Tune one region: prepare its pack where there is none, then search its space."""
    _check_region(region)
    _check_early([region], overrides, options)
    tune_pack(_pack_to_tune(region, data, source, packs, options), overrides, options, region)


@spelled_out
def ablation(
    region: Annotated[str, typer.Argument(metavar="REGION", help="The region to train on.")],
    source: SourceOptions,
    options: RunOptions,
    overrides: Overrides = None,
    name: Annotated[str, typer.Option(help="Name of the experiment.")] = "ablation",
    seeds: Annotated[int, typer.Option(help="How many runs of each cell.")] = 3,
    data: Data = None,
    packs: Packs = Path("packs"),
    out: Annotated[Path, typer.Option(help="The figure.")] = Path("ablation.html"),
) -> None:
    """Loss x oversampling x augmentation, every cell with the same seeds: is class-balanced loss worth anything?

    The same command resumes what was interrupted.
    """
    from skin_tune.config import parse_overrides
    from skin_tune.results.report.factorial_figure import write_figure
    from skin_tune.results.statistics.factorial import factorial
    from skin_tune.show.studies import print_ablation
    from skin_tune.tuning.experiment.fixed_configs import Resources
    from skin_tune.tuning.studies.ablation import AblationRequest, check_ablation, run_ablation
    from skin_tune.tuning.tracking.live_line import live_line

    _check_region(region)
    resources = request_of(Resources, options)
    values = parse_overrides(overrides or [])
    check_ablation(seeds, values)
    pack = _ready_pack(region, data, source, packs)
    request = AblationRequest(pack, name, seeds, values, options.storage, resources)
    with live_line("checking the experiment"):
        done = run_ablation(request)
    result = factorial(options.storage, done.region, done.experiment, done.runs)
    write_figure(result, out)
    print_ablation(result, done.outcome.rows, out, options.price_per_gpu_hour)


@spelled_out
def tune_all(
    source: SourceOptions,
    options: TuneOptions,
    overrides: Overrides = None,
    region: Annotated[str, typer.Option(help="Regions separated by commas, in their order, or all.")] = "all",
    data: Data = None,
    packs: Packs = Path("packs"),
    learn: Annotated[
        bool,
        typer.Option("--learn", help="Start regions in order; each first tries the best configs of those before it."),
    ] = False,
) -> None:
    """Tune every region at once: prepare the packs there are none of, then share the cluster among all of them."""
    from skin_tune.show.experiments import print_outcomes
    from skin_tune.tuning.experiment.runner import run_experiments
    from skin_tune.tuning.tracking.live_line import live_line

    regions = _regions(region, packs, source.size, data, options)
    begun = _begun(regions, options)
    _check_early([name for name in regions if name in begun], overrides, options)
    _check_early([name for name in regions if name not in begun], overrides, replace(options, resume=False))
    errors: dict[str, SkinTuneError] = {}
    there = {name for name in regions if pack_path(packs, name, source.size).exists()}
    if missing := [name for name in regions if name not in there | begun]:
        errors |= _prepared(missing, regions, data, source, packs)
    options = replace(options, name=options.name or f"all-{time.strftime('%Y%m%d-%H%M%S')}")
    ready = [name for name in regions if name not in errors]
    if options.resume and not begun & set(ready):
        raise ExperimentError(
            f"no region has an experiment {options.name!r} to --resume below {str(options.storage)!r}"
        )
    requests = []
    for name in ready:
        siblings = [*(options.warm_start or ()), *(regions[: regions.index(name)] if learn else ())]
        own = replace(options, warm_start=siblings or None, resume=name in begun)
        pack = pack_path(packs, name, source.size) if name in there or name not in begun else None
        requests.append(tune_request(pack, name, overrides, own))
    in_order = learn or (options.resume and any({*request.warm_start} & {*ready} for request in requests))
    with live_line("checking the experiments"):
        ends = dict(zip(ready, run_experiments(requests, in_order=in_order), strict=True))
    everything = {name: errors.get(name) or ends[name] for name in regions}
    print_outcomes(everything, options.storage, options.price_per_gpu_hour)
    if failed := [name for name, end in everything.items() if isinstance(end, SkinTuneError)]:
        raise SomeRegionsFailedError(f"{len(failed)} of {len(regions)} regions failed: {', '.join(failed)}")


def _check_region(region: str) -> None:
    if not is_region_name(region):
        raise SourceError(f"region {region!r} is not one plain name, such as forehead_wrinkle")


def _pack_to_tune(
    region: str, data: list[Path] | None, source: SourceOptions, packs: Path, options: TuneOptions
) -> Location | None:
    """The region's pack; None if a resumed experiment uses the pack it recorded."""
    if options.resume and not data and not pack_path(packs, region, source.size).exists():
        return None
    return _ready_pack(region, data, source, packs)


def _ready_pack(region: str, data: list[Path] | None, source: SourceOptions, packs: Path) -> Location:
    pack = pack_path(packs, region, source.size)
    if pack.exists():
        print(escaped(f"using pack {pack}"))
    elif not data:
        raise SourceError(f"there is no pack {str(pack)!r} and no --data to prepare it from")
    elif failed := prepare_packs(data, region, source, packs):
        raise failed[region]
    return pack


def _begun(regions: list[str], options: TuneOptions) -> set[str]:
    """The regions whose experiment goes on."""
    return {name for name in regions if name in _resumable(options)}


def _resumable(options: TuneOptions) -> set[str]:
    """Regions that have an experiment of the name to --resume."""
    if not options.resume or options.name is None:
        return set()
    files = (RunPaths(options.storage).storage / "experiments").glob(f"*/{options.name}/asked.json")
    return {file.parent.parent.name for file in files}


def _regions(region: str, packs: Path, size: int, data: list[Path] | None, options: TuneOptions) -> list[str]:
    if region != "all":
        names = list(dict.fromkeys(name.strip() for name in region.split(",")))
        for name in names:
            if not is_region_name(name):
                raise SourceError(f"--region {region!r} is not a list of plain names, such as lip_dryness,chin_sagging")
        return names
    suffix = pack_path(packs, "", size).name
    found = sorted({path.name.removesuffix(suffix) for path in packs.glob(f"*{suffix}")} | _resumable(options))
    names = [*CATALOGUE, *(name for name in found if name not in CATALOGUE)]
    names = names if data else [name for name in names if name in found]
    if not names:
        raise SourceError(f"there is no pack *{suffix} in {str(packs)!r} and no --data to prepare some from")
    return names


def _prepared(
    missing: list[str], regions: list[str], data: list[Path] | None, source: SourceOptions, packs: Path
) -> dict[str, SkinTuneError]:
    """Prepare the missing packs; the error of each region that gets none. Raises if that is every region."""
    if not data:
        raise SourceError(
            f"there is no pack {str(pack_path(packs, missing[0], source.size))!r} and no --data to prepare it from"
        )
    try:
        return prepare_packs(data, ",".join(missing), source, packs)
    except SkinTuneError as error:
        if missing == regions:
            raise
        return dict.fromkeys(missing, error)


def _check_early(regions: list[str], overrides: list[str] | None, options: TuneOptions) -> None:
    """Reject what is wrong before any photo is read."""
    from skin_tune.tuning.experiment.request import check_request

    for name in regions:
        check_request(tune_request(Path(), name, overrides, options))
