"""For whom a model works: its results by group of people and photos, drawn and in tables."""

from collections.abc import Mapping
from typing import Any

from skin_tune.metrics import formula_of
from skin_tune.results.report.colours import CHAMPION_COLOUR
from skin_tune.results.report.figures import Spec, axis, digits, plain, word
from skin_tune.results.report.markup import Markup, element, in_words, joined, number, table, translated, with_interval
from skin_tune.results.report.nominal import noun
from skin_tune.results.report.section import Section
from skin_tune.results.statistics.model_figures import Figure
from skin_tune.results.statistics.subgroups import Group, Grouping
from skin_tune.storage.photo_columns import FEWEST_SUBJECTS, UNKNOWN

_SCORES = ("balanced_acc", "macro_f1")
_SMALL_COLOUR = "#8b93a1"


def group_figure(groupings: Mapping[str, Grouping], everybody: Figure, metric: str) -> Spec:
    """A dot with its interval for each group, all on one scale, and a line where everybody is."""
    rows = [(each.attribute, group) for each in groupings.values() for group in each.groups]
    scores = [group.scores[formula_of(metric)] for _, group in rows]
    dots: Spec = {
        "type": "scatter",
        "mode": "markers",
        "y": [[word(attribute) for attribute, _ in rows], [_label(group.name) for _, group in rows]],
        "x": digits(score.value for score in scores),
        "customdata": [group.subjects for _, group in rows],
        "hovertemplate": "%{x} (n = %{customdata})<extra></extra>",
        "marker": {
            "size": 9,
            "symbol": ["circle" if group.is_compared else "circle-open" for _, group in rows],
            "color": [CHAMPION_COLOUR if group.is_compared else _SMALL_COLOUR for _, group in rows],
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": digits(score.high - score.value for score in scores),
            "arrayminus": digits(score.value - score.low for score in scores),
            "color": word("ink"),
            "thickness": 1.2,
            "width": 3,
        },
    }
    line = {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": 1}
    line |= {"x0": everybody.value, "x1": everybody.value}
    layout = {
        "height": 100 + 26 * len(rows),
        "showlegend": False,
        "shapes": [{**line, "line": {"color": word("ink"), "width": 1, "dash": "dot"}}],
        "xaxis": axis(metric),
        "yaxis": {"type": "multicategory", "autorange": "reversed", "automargin": True},
    }
    return {"data": [dots], "layout": layout}


def _label(name: str) -> str:
    return word("unknown") if name == UNKNOWN else plain(name)


def group_sentences(groupings: Mapping[str, Grouping], metric: str) -> Markup:
    """For each attribute the worst group and how far it is from the best."""
    return element("ul", *(element("li", _sentence(each, metric)) for each in groupings.values()))


def _sentence(grouping: Grouping, metric: str) -> Markup:
    attribute: Any = (grouping.attribute, {})
    gap = grouping.gaps.get(formula_of(metric))
    if gap is None:
        return translated("gap_unknown", attribute=attribute)
    p = "< 0.001" if gap.p < 0.0005 else f"{gap.p:.3f}"
    return translated("gap_is", attribute=attribute, worst=gap.worst, best=gap.best, size=in_words(gap.size), p=p)


def group_tables(groupings: Mapping[str, Grouping], section: Section) -> Markup:
    """A table for each attribute: scores of each group, and why nothing can be said of those that are too small."""
    headings = ["images", "subjects", *(f"val_{name}" for name in _SCORES), "too_small"]
    return joined(
        table([attribute, *headings], [_row(group, section) for group in grouping.groups])
        for attribute, grouping in groupings.items()
    )


def _row(group: Group, section: Section) -> list[Any]:
    name = translated("unknown") if group.name == UNKNOWN else group.name
    scores = [with_interval(group.scores[score]) for score in _SCORES]
    return [name, number(group.images), number(group.subjects), *scores, _why_too_small(group, section)]


def _why_too_small(group: Group, section: Section) -> Markup:
    reasons: list[Any] = []
    if group.subjects < FEWEST_SUBJECTS:
        reasons.append(translated("few_in_group", count=FEWEST_SUBJECTS))
    if group.missing:
        names = ", ".join(str(section.classes[place]) for place in group.missing)
        reasons.append(translated(noun("missing_in_group", section.ordinal), names=names))
    return joined(part for place, reason in enumerate(reasons) for part in (["; "] if place else []) + [reason])
