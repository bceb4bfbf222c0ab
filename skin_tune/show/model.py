"""Output of a model's evaluation and predictions, for people and for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from skin_tune.data.sources.files import storable
from skin_tune.inference.predict import Prediction, expected_grade
from skin_tune.metrics import ADJUSTED, METRICS, class_table
from skin_tune.regions import CATALOGUE
from skin_tune.results.report.model_card import times
from skin_tune.show.console import open_console
from skin_tune.show.csv_output import rows_csv
from skin_tune.show.tables import Column, have_room, print_columns
from skin_tune.text.escaping import escaped
from skin_tune.text.numbers import figure, none_if_nan
from skin_tune.text.wording import counted

if TYPE_CHECKING:
    from skin_tune.inference.model_file import TrainedModel
    from skin_tune.tuning.studies.evaluate import Evaluated


def print_evaluated(outcome: "Evaluated", form: str) -> None:
    """A row for each class, the confusion matrix, and one line of scores; beside test figures, how often they were had.

    As csv only the classes go to standard output, the line of scores to standard error.
    """
    model, pack = outcome.model, outcome.pack
    confusion = outcome.evaluation.confusion_by(model.adjusted)
    scores = outcome.evaluation.scores(pack.classes, model.ordinal)
    rows: list[dict[str, Any]] = [
        {**row, **{f"predicted_{name}": int(count) for name, count in zip(pack.classes, counts, strict=True)}}
        for row, counts in zip(class_table(confusion, pack.classes), confusion, strict=True)
    ]
    images = len(outcome.evaluation.labels)
    if model.region != pack.info.region:
        print(escaped(f"note: the model grades {model.region}, the pack is of {pack.info.region}"), file=sys.stderr)
    if form == "json":
        print(json.dumps(_facts(outcome, scores, rows), indent=2))
        return
    own, other = (ADJUSTED, "") if model.adjusted else ("", ADJUSTED)
    line = f"{outcome.split}: {_scores(scores, own)}, {counted(images, 'image')}"
    if outcome.test_openings is not None:
        line += f" (this test split has been opened {times(outcome.test_openings)})"
    beside = f"{'plain' if model.adjusted else 'adjusted'} decision: {_scores(scores, other)}"
    if outcome.evaluation.adjusted_confusion is not None:
        line += f"\n{beside}"
    if form == "csv":
        print(rows_csv([{name: none_if_nan(value) for name, value in row.items()} for row in rows]), end="")
        print(line, file=sys.stderr)
        return
    console = open_console()
    _print_classes(console, rows, confusion.tolist(), f"{outcome.split}\nimages")
    console.print(line, soft_wrap=True)


def _scores(scores: Mapping[str, float], decision: str) -> str:
    """Figures of a decision, whose names end in ADJUSTED or in nothing more."""
    shown = [name for name in ("balanced_acc", "macro_f1", "acc", "mae", "within_one", "qwk") if name in scores]
    return ", ".join(f"{name} {figure(scores[f'{name}{decision}'])}" for name in shown if f"{name}{decision}" in scores)


def _print_classes(
    console: Console, rows: Sequence[Mapping[str, Any]], confusion: Sequence[Sequence[int]], images: str
) -> None:
    """Figures of each class beside the confusion matrix or, where it is narrow, above it.

    A matrix that is too wide even so has places for headings.
    """
    names = [str(row["class"]) for row in rows]
    figures = [
        Column("class", names, left=True),
        Column(images, [str(row["images"]) for row in rows]),
        *(
            Column(heading, [figure(row[name]) for row in rows])
            for name, heading in (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))
        ),
    ]
    counts = [list(map(str, column)) for column in zip(*confusion, strict=True)]
    named = [Column(name, cells) for name, cells in zip(names, counts, strict=True)]
    beside = [*figures, Column("graded as", [""] * len(rows)), *named]
    if have_room(console, beside):
        print_columns(console, beside)
        return
    print_columns(console, figures)
    below = [Column("class, graded as", names, left=True), *named]
    if not have_room(console, below):
        places = [f"{place} {name}" for place, name in enumerate(names)]
        numbered = [Column(str(place), cells) for place, cells in enumerate(counts)]
        below = [Column("class, graded as", places, left=True), *numbered]
    console.print()
    print_columns(console, below)


def _facts(outcome: "Evaluated", scores: Mapping[str, float], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An evaluation as plain values: `scores` of the split, `rows` of its classes."""
    model, pack, evaluation = outcome.model, outcome.pack, outcome.evaluation
    return {
        "model": storable(str(model.path)),
        "region": model.region,
        "pack": storable(str(pack.path)),
        "pack_id": pack.info.pack_id,
        "split": outcome.split,
        "images": len(evaluation.labels),
        "test_openings": outcome.test_openings,
        "ordinal": model.ordinal,
        "decision": "adjusted" if model.adjusted else "plain",
        "scores": {
            "loss": evaluation.loss,
            **dict.fromkeys(METRICS),  # what nominal classes cannot have stays a gap
            **{f"{name}{ADJUSTED}": None for name in METRICS},
            **{name: none_if_nan(value) for name, value in scores.items()},
        },
        "classes": [{name: none_if_nan(value) for name, value in row.items()} for row in rows],
        "confusion": evaluation.confusion_by(model.adjusted).tolist(),
    }


def print_predictions(predictions: Sequence[Prediction], model: "TrainedModel", form: str) -> None:
    """A row for each crop: grade, expected grade, probabilities, or the reason why there are none."""
    rows = [_row(prediction, model) for prediction in predictions]
    if form == "json":
        print(json.dumps(rows, indent=2))
    elif form == "csv":
        print(rows_csv(rows), end="")
    else:
        console = open_console()
        left_out = print_columns(console, _prediction_columns(rows, model))
        if left_out:
            console.print("no room for probabilities; --format csv has all")
    failed = [row for row in rows if row["reason"]]
    whole = sum(prediction.whole and not prediction.reason for prediction in predictions)
    if whole:
        hint = "; give --labels where they show more" if model.region in CATALOGUE else ""
        taken = f"{counted(whole, 'image')} {'was' if whole == 1 else 'were'}"
        print(f"{taken} taken for crops of {model.region} as they are{hint}", file=sys.stderr)
    for row in failed[:_REASONS_SHOWN] if form == "table" else ():
        print(escaped(f"not graded: {row['path']}: {row['reason']}"), file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {counted(len(rows), 'crop')} could not be graded", file=sys.stderr)


_REASONS_SHOWN = 20


def _prediction_columns(rows: Sequence[Mapping[str, Any]], model: "TrainedModel") -> list[Column]:
    sides = any(row["part"] for row in rows)
    return [
        Column("photo", [str(row["path"]) for row in rows], left=True),
        *([Column("part", [str(row["part"]) for row in rows], left=True)] if sides else []),
        Column("grade", [row["grade"] or "-" for row in rows]),
        *([Column("expected", [figure(row["expected_grade"]) for row in rows])] if model.ordinal else []),
        *(Column(f"p({name})", [figure(row[f"p_{name}"]) for row in rows], 1) for name in model.classes),
    ]


def _row(prediction: Prediction, model: "TrainedModel") -> dict[str, Any]:
    """One output row of a crop; nominal classes have no expected grade."""
    chances, classes = prediction.probabilities, model.classes
    expected = None if chances is None or not model.ordinal else round(expected_grade(chances, classes), 4)
    return {
        "path": storable(str(prediction.photo)),
        "part": prediction.part,
        "grade": None if chances is None else classes[chances.index(max(chances))],
        "expected_grade": expected,
        **{f"p_{name}": None if chances is None else chances[place] for place, name in enumerate(classes)},
        "reason": storable(prediction.reason),
    }
