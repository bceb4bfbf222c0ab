"""A section in words: who won, how sure that is, what is weak, what it cost, and what to beware of."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skin_tune.metrics import formula_of, grouped_by, is_adjusted
from skin_tune.results.report.markup import Markup, fraction, in_words, percent, translated
from skin_tune.results.report.markup import hours as as_hours
from skin_tune.results.report.nominal import noun
from skin_tune.results.report.section import Refit, Section, metric_of_refit
from skin_tune.results.statistics.model_figures import Figure
from skin_tune.results.store.status import are_usable

_FEW_SUBJECTS = 30
_MAX_ERRORS = 3


def score_in(row: Mapping[Any, Any], score: str) -> Figure:
    """A score in a row of a section's trials, and its interval."""
    value, low, high = (float(row.get(f"{score}{end}", math.nan)) for end in ("", "_low", "_high"))
    return Figure(value, low, high)


def champions_refits(section: Section) -> list[Refit]:
    """Those of the champion's config."""
    key = ("experiment", "trial_id")
    own = tuple((section.champion or {}).get(name) for name in key)
    return [refit for refit in section.refits if (refit.facts.get("experiment"), refit.facts.get("trial")) == own]


def test_score(refit: Refit, metric: str) -> Figure:
    """A refitted model's `metric` on the test split; its interval where the store has its answers."""
    decides = is_adjusted(metric_of_refit(refit.facts)) == is_adjusted(metric)
    if decides and refit.test is not None and formula_of(metric) in refit.test.scores:
        return refit.test.scores[formula_of(metric)]
    value = refit.facts["metrics"].get(f"test_{metric.removeprefix('val_')}")
    return Figure(math.nan if value is None else value, math.nan, math.nan)


def times(count: int) -> tuple[str, dict[str, Any]]:
    """How often, as a value for `said`."""
    return ("once", {}) if count == 1 else ("times", {"count": count})


def sentences(section: Section, price: float | None) -> Iterator[Markup]:
    """Sentences that sum up a section."""
    if section.champion is None:
        yield translated("no_champion")
    else:
        yield from _on_champion(section)
    cost = section.cost
    if cost.judged_epochs < cost.full_epochs:
        yield translated(
            "saved",
            run=cost.judged_epochs,
            full=cost.full_epochs,
            share=percent(cost.saved_share),
            hours=_hours(cost.saved_hours, cost.saved_gpu_hours),
        )
    else:
        yield translated("saved_nothing")
    money: Any = (
        "" if price is None or not cost.gpu_hours else ("money_of", {"money": f"{cost.gpu_hours * price:,.2f}"})
    )
    yield translated("cost_is", hours=_hours(cost.hours, cost.gpu_hours), money=money)


def _on_champion(section: Section) -> Iterator[Markup]:
    assert section.champion is not None
    common: dict[str, Any] = {
        "trials": len(section.trials),
        "trial": section.champion["trial_id"],
        "metric": (section.metric, {}),
    }
    confirmed = section.confirmed.get(section.champion["experiment"])
    score = in_words(score_in(section.champion, section.metric))
    expected = None
    if section.comparison.trials["trial_id"].iloc[0] == section.champion["trial_id"]:
        expected = section.comparison.expected.get(section.metric)
    if confirmed is not None and confirmed.champion == section.champion["trial_id"]:
        winner = confirmed.winner
        mean = in_words(Figure(winner["mean"], winner["low"], winner["high"]))
        key = "confirmed_is" if confirmed.folds is None else "confirmed_folds_is"
        counts = {"configs": len(confirmed.configs), "seeds": confirmed.seeds, "folds": confirmed.folds}
        yield translated(key, **common, **counts, score=mean)
        if len(confirmed.configs) > 1:
            yield (
                translated("rivals", names=", ".join(confirmed.rivals)) if confirmed.rivals else translated("no_rivals")
            )
    elif formula_of(section.metric) == "balanced_acc" and section.classes:
        key = "only_is" if len(section.trials) == 1 else "champion_is"
        yield translated(key, **common, score=score, chance=fraction(1 / len(section.classes)))
    else:
        yield translated("only_is_f1" if len(section.trials) == 1 else "champion_is_f1", **common, score=score)
    if section.chosen_by != section.metric:
        key = "chosen_by_soft" if grouped_by(section.chosen_by) is None else "chosen_by_group"
        yield translated(key, metric=(section.chosen_by, {}), score=fraction(section.champion[section.chosen_by]))
    if confirmed is None and len(section.trials) > 1 and expected is not None and expected == expected:
        flattery = max(0.0, section.champion[section.metric] - expected)
        compared = len(section.comparison.compared)
        yield translated("expected", count=compared, flattery=fraction(flattery), score=fraction(expected))
    yield from _on_weakest_class(section)
    for gain in section.gains:
        yield translated(
            "combined_better" if gain.better else "combined_no_better",
            model=gain.trial_id,
            single=gain.single,
            score=in_words(Figure(gain.difference, gain.low, gain.high)),
        )
    refits = champions_refits(section)
    if not refits:
        yield translated("not_tested")
    for refit in refits:
        score = in_words(test_score(refit, section.metric))
        yield translated("tested", model=refit.facts["model"], score=score, openings=times(section.openings))


def _on_weakest_class(section: Section) -> Iterator[Markup]:
    """The class that the champion recognises least; nothing where the store has no predictions of it."""
    if section.validation is not None:
        recall = np.array([figure.value for figure in section.validation.recall])
        if not np.isnan(recall).all():
            worst = int(np.nanargmin(recall))
            confusion = section.validation.confusion
            training: Any = ""
            if section.train_images is not None:
                training = ("weakest_training", {"count": section.train_images[worst]})
            yield translated(
                noun("weakest", section.ordinal),
                name=section.classes[worst],
                hits=int(confusion[worst, worst]),
                images=int(confusion[worst].sum()),
                recall=fraction(recall[worst]),
                training=training,
            )


def _hours(hours: float, gpu_hours: float) -> tuple[str, dict[str, Any]]:
    """GPU-hours where GPUs were used."""
    return ("gpu_hours_of", {"count": as_hours(gpu_hours)}) if gpu_hours else ("hours_of", {"count": as_hours(hours)})


def warnings(section: Section) -> Iterator[Markup]:
    """Caveats for the reader."""
    comparison = section.comparison
    for experiment in (name for name, result in section.confirmed.items() if result is None):
        yield translated("not_confirmed_yet", experiment=experiment)
    if (near := len(comparison.within_noise)) and not any(section.confirmed.values()):
        yield translated("within_noise", count=near) if near > 1 else translated("one_within_noise")
    if comparison.subjects == 1:
        yield translated("one_subject")
    elif 0 < comparison.subjects < _FEW_SUBJECTS:
        yield translated("few_subjects", count=comparison.subjects)
    if section.validation is not None:
        pairs = zip(section.classes, section.validation.confusion.sum(axis=1), strict=True)
        if absent := [name for name, images in pairs if not images]:
            yield translated(noun("absent", section.ordinal), count=len(absent), names=", ".join(absent))
    trials = section.trials
    unusable = ~are_usable(trials)
    scored = are_usable(trials, section.metric)
    if missing := int((scored & ~trials["compared"].fillna(False).astype(bool)).sum()):
        yield translated("not_compared", count=missing)
    if unusable.any():
        yield translated("failed_count", count=int(unusable.sum()))
        for error in trials.loc[unusable, "error"].dropna().unique()[:_MAX_ERRORS]:
            yield translated("error", error=error)
    if running := int((trials["status"] == "running").sum()):
        yield translated("running_count", count=running)
    if section.openings > 1:
        yield translated("opened_often", openings=times(section.openings))
