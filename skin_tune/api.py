"""The commands as Python functions.

`from skin_tune import prepare, tune, report` is how they are reached. Keywords are the options of the command,
`time_budget` is `--time-budget`; what a user can mend is raised as SkinTuneError.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skin_tune.data.preparation.pack_builder import Prepared
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.storage.files import location

if TYPE_CHECKING:
    from skin_tune.tuning.experiment.runner import Outcome


def prepare(
    sources: str | Path | Sequence[str | Path],
    region: str,
    *,
    out: str | Path = PrepareRequest.out,
    format: str | None = None,
    images: str | Path | None = None,
    size: int = PrepareRequest.size,
    path_column: str | None = None,
    label_column: str | None = None,
    subject_column: str | None = None,
    subject_pattern: str | None = None,
    classes: str | Sequence[str] | None = None,
    nominal: bool = False,
    split: str | None = None,
    split_seed: int = PrepareRequest.split_seed,
    max_megapixels: int = PrepareRequest.max_megapixels,
    allow_losses: bool = False,
    replace: bool = False,
) -> list[Prepared]:
    """Read graded photos and write one pack per region, as `skin-tune prepare` does.

    `sources` is an AI-Hub tree, a root of class folders or a CSV, or several of one kind; `region` one name, several
    separated by commas, or ``all``. `classes` is a list of names, or ``"none,mild,severe"``. Returns a Prepared for
    each region; where one of several gives no pack, its `error` says why.

    Raises SourceError where the request is wrong or no region gives a pack.

    >>> from skin_tune import prepare
    >>> [lips] = prepare("sample", "lip_dryness", size=32)
    >>> print(lips.path)
    packs/lip_dryness-32.arrow
    >>> lips.info.classes
    ['0', '1', '2', '3', '4']
    """
    given = locals()
    from skin_tune.data.pack.subject_split import parse_ratios
    from skin_tune.data.preparation.prepare import prepare as write_packs
    from skin_tune.data.sources.classes import parse_classes

    names = classes if classes is None or isinstance(classes, str) else ",".join(classes)
    options = {field.name: given[field.name] for field in fields(PrepareRequest) if field.name in given}
    options |= {
        "sources": [Path(source) for source in ([sources] if isinstance(sources, str | Path) else sources)],
        "regions": region,
        "out": location(out),
        "images": None if images is None else Path(images),
        "classes": None if names is None else parse_classes(names),
        "split_ratios": None if split is None else parse_ratios(split),
    }
    return write_packs(PrepareRequest(**options))


def tune(
    pack: str | Path | None = None,
    space: str | Path | Mapping[str, Any] | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    name: str | None = None,
    trials: int | None = None,
    storage: str | Path = "runs",
    seed: int | None = None,
    workers_per_trial: int | None = None,
    cpus_per_trial: int | None = None,
    gpus_per_trial: float | None = None,
    concurrent: int | None = None,
    time_budget: str | float | None = None,
    gpu_hours: float | None = None,
    image_budget: int | None = None,
    until: str | None = None,
    max_failures: int | None = None,
    keep_checkpoints: int | None = None,
    warm_start: str | Sequence[str] | None = None,
    wandb: str | None = None,
    tensorboard: bool | None = None,
    resume: bool = False,
) -> "Outcome":
    """Search a space of configs for a region's best grader, as `skin-tune tune` does; returns when all is run.

    `space` is a wandb sweep file, or its content as a dict, as `wandb.sweep` takes it; `overrides` are hyper-parameters
    to hold still, the command's ``name=value`` words. `time_budget` is ``"2h"`` or a number of seconds. With `resume`
    the experiment `name` continues: what is not given is as when it began, the pack too.

    Trials run on the Ray cluster that RAY_ADDRESS names or `ray start` began here, else on one that ends with the
    call. Interrupting a call keeps what there is: it returns, and `resume` continues. A run of more than half a minute
    tells its state on standard error now and then.

    Raises a SkinTuneError for what cannot work, before anything starts, and AllTrialsFailedError where no trial gave a
    result.

    >>> from skin_tune import tune
    >>> space = {
    ...     "method": "random",
    ...     "parameters": {"learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}},
    ... }
    >>> small = {"backbone": "resnet18", "weights": "none", "image_size": 32, "batch_size": 32, "epochs": 1}
    >>> outcome = tune("packs/lip_dryness-32.arrow", space, overrides=small, name="first", trials=2)
    >>> outcome.trials["status"].tolist()
    ['completed', 'completed']
    >>> bool(outcome.trials["val_balanced_acc"].is_monotonic_decreasing)
    True
    """
    given = locals()
    from skin_tune.config import checked_overrides
    from skin_tune.data.pack.format import open_pack
    from skin_tune.errors import ExperimentError
    from skin_tune.tuning.backend.session import own_session
    from skin_tune.tuning.experiment.options import tune_request
    from skin_tune.tuning.experiment.runner import run_experiment

    if pack is None and not (resume and name):
        raise ExperimentError("tune needs a pack, or the name of an experiment to resume")
    options = given | {
        "space": Path(space) if isinstance(space, str) else space,
        "storage": location(storage),
        "warm_start": [warm_start] if isinstance(warm_start, str) else warm_start,
    }
    where = None if pack is None else location(pack)
    region = None if where is None else open_pack(where).info.region
    request = tune_request(where, region, checked_overrides(overrides or {}), options)
    with own_session():
        return run_experiment(request)


def report(
    storage: str | Path = "runs",
    out: str | Path = "report.html",
    *,
    region: str | None = None,
    experiment: str | None = None,
    price_per_gpu_hour: float | None = None,
) -> Path:
    """Write one HTML file on trials, champions and costs, as `skin-tune report` does; returns `out`.

    It opens without a network, in English and Korean; `price_per_gpu_hour` adds costs in money. Raises StoreError where
    the store has no such trial, or the file cannot be written.

    >>> from skin_tune import report
    >>> print(report("runs", "report.html", experiment="first"))
    report.html
    """
    from skin_tune.results.report import write_report

    file = Path(out)
    write_report(location(storage), file, region=region, experiment=experiment, price=price_per_gpu_hour)
    return file


def result_grid(storage: str | Path = "runs", *, experiment: str, region: str | None = None) -> Any:
    """The trials of an experiment as Ray Tune's own `ray.tune.ResultGrid`, read from the store; Ray is not started.

    What compares trials of Ray Tune takes it as it is: `get_dataframe`, `get_best_result`, and each result's `metrics`,
    `config`, `metrics_dataframe`, `checkpoint` and `error`. Figures are the store's. `get_best_result` takes the
    experiment's metric if it is given none, of the last epoch unless ``scope="all"``; trials that diverged or failed
    have errors and never win. A checkpoint is the folder with the ``best.pt`` of a trial whose model was kept, and
    `best_checkpoints` has the metrics of that epoch. A gap in the store, such as a hyper-parameter that is dead, is
    null; so is what Ray notes and the store does not, such as `hostname`.

    Raises StoreError where the store has no such experiment, and ExperimentError where several regions have one.

    >>> from skin_tune import result_grid
    >>> grid = result_grid("runs", experiment="first")
    >>> frame = grid.get_dataframe().sort_values("trial_id")
    >>> frame[["trial_id", "training_iteration", "config/backbone"]].values.tolist()
    [['first-000', 1, 'resnet18'], ['first-001', 1, 'resnet18']]
    >>> best = grid.get_best_result("val_balanced_acc", "max")
    >>> bool(best.metrics["val_balanced_acc"] == outcome.trials["val_balanced_acc"].iloc[0])
    True
    >>> import os
    >>> with best.checkpoint.as_directory() as folder:
    ...     os.listdir(folder)
    ['best.pt']
    """
    from skin_tune.processes.loading import quick_imports

    with quick_imports():
        from skin_tune.tuning.experiment.result_grid import load_result_grid

    return load_result_grid(location(storage), experiment, region)
