"""The best models of an experiment as one: the mean of their adjusted probabilities."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skin_tune.data.pack.format import Pack
from skin_tune.errors import ExperimentError
from skin_tune.metrics import decision_metric, formula_of, grouped_by, val_metric
from skin_tune.provenance import code_version, libraries
from skin_tune.results.statistics.combination import Gain, combination_id, combination_of, gain_of
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import Location, cannot_write, location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.experiment.lookup import StoredExperiment, find_experiment
from skin_tune.tuning.experiment.spec import ExperimentSpec
from skin_tune.tuning.tracking.live_line import doing

if TYPE_CHECKING:
    from skin_tune.training.evaluation import Evaluation


@dataclass(frozen=True)
class CombineRequest:
    """Arguments of `combine`."""

    experiment: str
    region: str | None = None
    """Needed where several regions have an experiment of that name."""
    top: int = 3
    """How many of the best trials."""
    pack: Location | None = None
    """None: where it was when the experiment started."""
    storage: Location = Path("runs")


@dataclass(frozen=True)
class Combination:
    """A combined model and what it is worth."""

    region: str
    model: Location
    members: Sequence[str]
    """Ids of its trials, best first."""
    scores: Sequence[float]
    """Of the decisions of each on the validation split, by the metric of `gain`."""
    gain: Gain


def run_combine(request: CombineRequest) -> Combination:
    """Write the mean of an experiment's best models as one model, and evaluate it on the validation split.

    It is chosen, and decides, by the adjusted decision. Raises ExperimentError where there are too few trials, or their
    models are gone, CheckpointError for a model of a version that did not keep its prior.
    """
    if request.top < 2:
        raise ExperimentError(f"--top {request.top} is below 2: there is nothing to combine")
    known = find_experiment(request.storage, request.experiment, request.region, request.pack)
    metric = val_metric(formula_of(known.metric), adjusted=True)
    rows = _best(known, metric, request.top)
    pack = known.open_pack(rows[0])
    pack.verify()
    name, trial_id = combination_of(known.name), combination_id(known.name, request.top)
    model = known.paths.checkpoints(known.region, name, trial_id) / "best.pt"
    doing("loading PyTorch")
    from skin_tune.inference.combination import combined_content  # load PyTorch: not before the checks
    from skin_tune.inference.evaluate import evaluate_model
    from skin_tune.inference.model_file import load_model
    from skin_tune.training.checkpoint import save_checkpoint

    content = combined_content([_model_of(row) for row in rows], metric)
    writer = ExperimentWriter(known.paths.storage, known.region, name)
    try:
        save_checkpoint(model, content, known.paths.experiment(known.region, name))
        doing("evaluating the combination")
        evaluation = evaluate_model(load_model(model), pack, "val")
        _spec(known, pack, metric).write(known.paths.spec(known.region, name))
        _record(writer, known.paths, pack, name, trial_id, model, rows, metric, evaluation)
    except OSError as error:
        raise cannot_write(model.parent, error) from None
    finally:
        writer.close()
    return Combination(
        region=known.region,
        model=model,
        members=[row["trial_id"] for row in rows],
        scores=[row[decision_metric(metric)] for row in rows],
        gain=gain_of(known.paths.storage, known.region, known.name, trial_id, metric),
    )


def _best(known: StoredExperiment, metric: str, top: int) -> Sequence[Mapping[Any, Any]]:
    usable = known.usable()
    if metric not in usable or usable[metric].isna().all():
        raise ExperimentError(
            f"experiment {known.name!r} is of a version that did not keep what its models were trained under: "
            "tune anew to combine them"
        )
    ranked = usable.sort_values(metric, ascending=False, kind="stable").head(top)
    if len(ranked) < top:
        raise ExperimentError(f"--top {top}: experiment {known.name!r} has {len(ranked)} trials that can be combined")
    return list(ranked.to_dict("records"))


def _model_of(row: Mapping[Any, Any]) -> Location:
    """The file of a trial's model. Raises ExperimentError where it is gone."""
    file = location(row["checkpoint"])
    if not file.is_file():
        raise ExperimentError(
            f"the model of {row['trial_id']} is not at {str(file)!r}: an experiment keeps those of its best trials, "
            "see --keep-checkpoints"
        )
    return file


def _spec(known: StoredExperiment, pack: Pack, metric: str) -> ExperimentSpec:
    """The spec that `refit` and the report read."""
    return ExperimentSpec(
        pack=str(known.pack_file),
        pack_id=pack.info.pack_id,
        seed=0,
        trials=1,
        metric=metric,
        warm_start=[],
        space={"method": f"combinations of models of {known.name}"},
        counts=pack.info.counts,
    )


def _record(
    writer: ExperimentWriter,
    paths: RunPaths,
    pack: Pack,
    name: str,
    trial_id: str,
    model: Location,
    rows: Sequence[Mapping[Any, Any]],
    metric: str,
    evaluation: "Evaluation",
) -> None:
    """Its row of `trials`, without a config, and its predictions of the validation split."""
    info = pack.info
    write_predictions(paths.storage, info.region, name, trial_id, "val", **evaluation.columns())
    scores = evaluation.scores(info.classes, info.ordinal, grouped_by(metric))
    writer.update_trial(
        trial_id,
        status="completed",
        epochs=0,
        val_loss=evaluation.loss,
        **{f"val_{score}": value for score, value in scores.items()},
        seconds=0.0,
        gpu_seconds=0.0,
        pack_id=info.pack_id,
        split_seed=info.split_seed,
        **class_columns(info.classes, info.ordinal),
        metric=metric,
        members=json.dumps([row["trial_id"] for row in rows]),
        code_version=code_version(),
        libraries=libraries(),
        checkpoint=str(model),
        started_at=now(),
        ended_at=now(),
    )
    writer.flush()
