"""Files of a refit: its model, its predictions of the test split, its model card."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from skin_tune.data.pack.layout.info import PackInfo
from skin_tune.data.preparation.side_tables import quarantined_by_reason
from skin_tune.metrics import METRICS, SELECTION_ONLY, Confusion, class_table, is_adjusted, metrics_of
from skin_tune.provenance import code_version, libraries
from skin_tune.results.report.card_facts import CardFacts
from skin_tune.results.report.model_card import model_card
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.tables import load_test_openings
from skin_tune.storage.files import atomic_write, remove_tree
from skin_tune.storage.run_paths import quarantine_path
from skin_tune.text.numbers import none_if_nan
from skin_tune.training.compatibility import train_splits
from skin_tune.training.evaluation import Evaluation
from skin_tune.tuning.refit.card_figures import (
    calibration_facts,
    class_bounds,
    group_facts,
    interval_facts,
    loss_figure,
    people_facts,
    performance_by_decision,
    split_facts,
)
from skin_tune.tuning.refit.plan import RefitPlan


def facts_of(
    plan: RefitPlan,
    evaluation: Evaluation,
    ended: Mapping[str, Any],
    epochs: int,
    seconds: float,
    gpu_seconds: float,
) -> CardFacts:
    """The model card's facts of a finished refit; `ended` is the result of the last epoch of its (first) network."""
    info, request = plan.pack.info, plan.request
    adjusted = is_adjusted(plan.metric)
    confusion = evaluation.confusion_by(adjusted)
    by_decision = performance_by_decision(evaluation, info.ordinal)
    own = by_decision.get(adjusted, by_decision[False])
    groups, gaps = group_facts(own, info.classes)
    openings = load_test_openings(plan.paths.storage, plan.region)
    trained_on = train_splits(request.include_val)
    return CardFacts(
        model=plan.model,
        region=plan.region,
        experiment=request.experiment,
        trial=plan.trial,
        trained_on=" and ".join(trained_on),
        epochs=epochs,
        best_epoch=int(ended["best_epoch"]),
        workers=request.workers,
        seconds=seconds,
        gpu_seconds=gpu_seconds,
        pack_id=info.pack_id,
        split=info.split_words,
        trials=plan.trials,
        metric=plan.metric,
        test_openings=int((openings["pack_id"] == info.pack_id).sum()),
        metrics={
            "test_loss": evaluation.loss,
            **{f"test_{name}": None for name in METRICS},  # what nominal classes cannot have stays a gap
            **_test_scores(evaluation, info, confusion),
        },
        intervals=interval_facts(
            by_decision, dict(zip(info.classes, own.recall, strict=True)), loss_figure(evaluation)
        ),
        classes=_class_rows(plan, confusion, class_bounds(own)),
        confusion=confusion.tolist(),
        config=plan.hyper_parameters,
        members=[member.trial for member in plan.members] if len(plan.members) > 1 else [],
        code_version=code_version(),
        libraries=libraries(),
        hardware=ended["hardware"],
        ordinal=info.ordinal,
        calibration=calibration_facts(evaluation, own),
        groups=groups,
        gaps=gaps,
        splits=split_facts(plan.pack),
        people=people_facts(plan.pack),
        quarantined=quarantined_by_reason(quarantine_path(plan.pack.path)),
    )


def _test_scores(evaluation: Evaluation, info: PackInfo, confusion: Confusion) -> dict[str, float | None]:
    """The figures of both decisions, and the recalls of the one that the model takes."""
    own = metrics_of(confusion, info.classes, info.ordinal)
    scores = evaluation.scores(info.classes, info.ordinal) | {
        name: value for name, value in own.items() if name.startswith("recall_")
    }
    return {f"test_{name}": none_if_nan(value) for name, value in scores.items() if name not in SELECTION_ONLY}


def _class_rows(plan: RefitPlan, confusion: Confusion, bounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    train_counts = plan.pack.class_counts(*train_splits(plan.request.include_val))
    return [
        {
            "class": row["class"],
            "train_images": int(train_images),
            "test_images": row["images"],
            **{name: none_if_nan(row[name]) for name in ("precision", "recall", "f1")},
            **own,
        }
        for row, train_images, own in zip(class_table(confusion, plan.pack.classes), train_counts, bounds, strict=True)
    ]


def write_refit(plan: RefitPlan, facts: CardFacts, evaluation: Evaluation) -> None:
    """The files of a refit; `metrics.json`, which says that it is complete, last."""
    write_predictions(
        plan.paths.storage,
        plan.region,
        plan.request.experiment,
        plan.model,
        "test",
        **evaluation.columns(),
    )
    experiment = plan.paths.experiment(plan.region, plan.request.experiment)
    with atomic_write(plan.folder / "model.pt", experiment) as temporary:
        temporary.write_bytes((plan.checkpoints / "best.pt").read_bytes())
    texts = {
        "config.json": json.dumps(facts.config, indent=1),
        "classes.json": json.dumps(plan.pack.classes),
        "model_card.md": model_card(facts),
        "metrics.json": json.dumps(asdict(facts), indent=1),
    }
    for name, text in texts.items():
        with atomic_write(plan.folder / name, experiment) as temporary:
            temporary.write_text(text)
    for model in dict.fromkeys([plan.model, *(member.model for member in plan.members)]):
        remove_tree(plan.checkpoints_of(model))
