"""The tables of a section."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skin_tune.metrics import is_adjusted, metrics_for, val_metric
from skin_tune.results.report.cost import Cost
from skin_tune.results.report.importance import varied_parameters
from skin_tune.results.report.markup import (
    DASH,
    Markup,
    element,
    escaped,
    fraction,
    hours,
    joined,
    number,
    percent,
    table,
    translated,
    with_interval,
)
from skin_tune.results.report.model_performance import ModelPerformance
from skin_tune.results.report.nominal import noun
from skin_tune.results.report.section import Section
from skin_tune.results.report.summary import score_in, test_score
from skin_tune.results.report.translations import WORDS
from skin_tune.results.statistics.confirmation import Championship
from skin_tune.results.statistics.model_figures import Figure

_SHOWN = 20
_SCORES = ("balanced_acc", "macro_f1", "acc", "mae", "within_one", "qwk")
_TRACES = ("pack_id", "split_seed", "code_version", "libraries", "hardware")


def leaderboard(section: Section) -> Markup:
    """All trials, best first, with what they were given where it differs."""
    trials = section.trials
    several = len(section.experiments) > 1
    scores = sorted(_scores(section), key=lambda score: score != section.metric)
    if section.chosen_by not in scores:
        scores.insert(0, section.chosen_by)
    varied = varied_parameters(trials)
    rows = []
    statuses = {
        status: translated(status) if status in WORDS else escaped(status) for status in trials["status"].unique()
    }
    for rank, row in enumerate(trials.to_dict("records"), start=1):
        rows.append(
            [
                rank,
                row["trial_id"],
                *([row["experiment"]] if several else []),
                *(with_interval(score_in(row, score)) for score in scores),
                percent(row["chance_better"]),
                fraction(row["p_adjusted"]),
                statuses[row["status"]],
                number(row["epochs"]),
                hours(row["gpu_seconds"] / 3600) if row["gpu_seconds"] else DASH,
                *(number(row[name]) for name in varied),
            ]
        )
    headings = ["rank", "trial", *(["experiment"] if several else []), *scores]
    headings += ["chance_better", "p_adjusted", "status", "epochs", "gpu_hours"]
    names = [element("code", name.removeprefix("config/")) for name in varied]
    more = ""
    if len(rows) > _SHOWN:
        more = element("button", translated("show_all", count=len(rows)), type="button", class_="all")
    order = translated("steps_note" if section.ordinal else "no_order_note")
    note = element("p", translated("hint_sort"), " ", translated("interval_note"), " ", order, class_="note")
    return joined(
        [
            note,
            table([*headings, *names], rows, shown=_SHOWN, class_="leaderboard several" if several else "leaderboard"),
            more,
        ]
    )


def _scores(section: Section) -> list[str]:
    """Those that its classes can have, of the decision that its metric is of."""
    adjusted = is_adjusted(section.metric)
    return [val_metric(name, adjusted) for name in _SCORES if name in metrics_for(section.ordinal)]


def confirmed(result: Championship, metric: str) -> Markup:
    """The configs that were run again, best mean first."""
    rows = []
    for row in result.configs.to_dict("records"):
        behind = Figure(-row["difference"], -row["difference_high"], -row["difference_low"])
        rows.append(
            [
                row["trial_id"],
                with_interval(Figure(row["mean"], row["low"], row["high"])),
                fraction(row["spread"]),
                translated("champion") if row["trial_id"] == result.champion else with_interval(behind),
            ]
        )
    return table(["trial", metric, "spread", "behind"], rows)


def confusion(answers: ModelPerformance, classes: Sequence[str]) -> Markup:
    """Counts and row shares; the darker, the larger the share. Grades are numbered where `classes` are not theirs."""
    if len(classes) != len(answers.confusion):
        classes = [str(grade) for grade in range(len(answers.confusion))]
    heads = [element("th", name, scope="col") for name in classes]
    lines = [element("tr", element("td"), *heads, element("th", translated("sum"), scope="col"))]
    for name, counts in zip(classes, answers.confusion.tolist(), strict=True):
        total = sum(counts)
        cells = [
            element(
                "td",
                count,
                element("small", percent(count / total if total else None)),
                style=f"--share:{count / total if total else 0:.2f}",
            )
            for count in counts
        ]
        lines.append(element("tr", element("th", name, scope="row"), *cells, element("td", total)))
    return element("div", element("table", *lines, class_="confusion"), class_="scroll")


def recalls(answers: ModelPerformance, section: Section) -> Markup:
    """Recall by class in figures."""
    images = answers.confusion.sum(axis=1)
    train: Sequence[int | None] = section.train_images or [None] * len(images)
    rows = [
        [name, number(count), int(seen), with_interval(figure)]
        for name, count, seen, figure in zip(section.classes, train, images, answers.recall, strict=True)
    ]
    return table([noun("class", section.ordinal), "train_images", "images", "recall"], rows)


def tests(section: Section) -> Markup:
    """Refitted models on the test split, each figure beside how often it was opened."""
    parts = []
    for refit in section.refits:
        facts = refit.facts
        metrics = _scores(section)
        scores = [with_interval(test_score(refit, metric)) for metric in metrics]
        row = [facts["model"], facts.get("trained_on", DASH), number(facts.get("epochs")), section.openings, *scores]
        parts.append(table(["model", "trained_on", "epochs", "openings", *metrics], [row]))
        names = ("class", "train_images", "test_images", "precision", "recall", "f1")
        classes = [
            [
                each["class"],
                *(number(each[name]) for name in names[1:3]),
                *(_class_score(each, name) for name in names[3:]),
            ]
            for each in facts.get("classes", [])
            if set(names) <= set(each)
        ]
        parts.append(table([noun("class", section.ordinal), *names[1:]], classes))
        if refit.test is not None:
            parts.append(confusion(refit.test, [str(each["class"]) for each in facts.get("classes", [])]))
    return joined(parts)


def _class_score(row: Mapping[str, Any], name: str) -> Markup:
    """A figure of a class; its interval where the refit is not of an older version."""
    bounds = [np.nan if row.get(key) is None else float(row[key]) for key in (name, f"{name}_low", f"{name}_high")]
    return with_interval(Figure(*bounds))


def costs(section: Section, price: float | None) -> Markup:
    """By experiment: what was run, what was saved."""
    rows = [_cost(name, cost, price) for name, cost in section.costs.items()]
    if len(rows) > 1:
        rows.append(_cost(translated("sum"), section.cost, price))
    headings = ["experiment", "trials", "epochs_run", "saved_share", "hours", "gpu_hours"]
    headings += ["saved_hours", "saved_gpu_hours", *(["money"] if price is not None else [])]
    return table(headings, rows)


def _cost(name: str, cost: Cost, price: float | None) -> list[Any]:
    return [
        name,
        cost.trials,
        cost.epochs,
        percent(cost.saved_share),
        *map(hours, (cost.hours, cost.gpu_hours, cost.saved_hours, cost.saved_gpu_hours)),
        *([f"{cost.gpu_hours * price:,.2f}"] if price is not None else []),
    ]


def champion_facts(champion: Mapping[Any, Any]) -> tuple[Markup, Markup]:
    """The champion's hyper-parameters, and where its figures come from."""
    config = [
        [element("code", str(name).removeprefix("config/")), number(value)]
        for name, value in champion.items()
        if str(name).startswith("config/") and not _is_gap(value)
    ]
    traces = [[translated(name), number(champion[name])] for name in _TRACES if not _is_gap(champion.get(name))]
    return table(["name", "value"], config), table(["name", "value"], traces)


def _is_gap(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float | np.floating) and bool(np.isnan(value)))
