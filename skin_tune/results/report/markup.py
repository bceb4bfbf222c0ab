"""Bits of HTML: escaped text, the same words in every language, tables that can be sorted."""

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from skin_tune.results.report.translations import LANGUAGES, WORDS
from skin_tune.results.statistics.model_figures import Figure

DASH = "\N{EN DASH}"
"""A gap in a table; between two numbers, an interval."""


class Markup(str):
    """HTML that is safe to put into a page: everything in it that came from data is escaped.

    As a value in a text of WORDS it also chooses words: ``{count:trial|trials}`` is the first where it is 1.
    """

    def __format__(self, form: str) -> str:
        if "|" not in form:
            return super().__format__(form)
        one, several = form.split("|")
        return one if self == "1" else several


def escaped(value: Any) -> Markup:
    """Text as HTML; what is HTML already stays."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def joined(parts: Iterable[Any]) -> Markup:
    """One after the other, escaped."""
    return Markup("".join(escaped(part) for part in parts))


def element(tag: str, *content: Any, **attributes: Any) -> Markup:
    """``<tag attribute="...">content</tag>``; `class_` stands for class, `_` for `-`, None leaves one out."""
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    words = "".join(f' {name}="{html.escape(str(value))}"' for name, value in given.items())
    return Markup(f"<{tag}{words}>{joined(content)}</{tag}>")


def translated(key: str, **values: Any) -> Markup:
    """An entry of WORDS in all languages, of which the page shows one; `values` fill its gaps."""
    parts = [Markup(text.format(**_in(language, values))) for language, text in enumerate(map(html.escape, WORDS[key]))]
    if len(set(parts)) == 1:
        return parts[0]
    return joined(element("span", part, lang=language) for language, part in zip(LANGUAGES, parts, strict=True))


def _in(language: int, values: dict[str, Any]) -> dict[str, Markup]:
    """Values as HTML; those that are words of WORDS, given as (key, values), in the language."""
    found = {}
    for name, value in values.items():
        if isinstance(value, tuple) and not isinstance(value, Figure):
            key, inner = value
            value = Markup(html.escape(WORDS[key][language]).format(**_in(language, inner)))
        found[name] = escaped(value)
    return found


def table(headings: Sequence[Any], rows: Iterable[Sequence[Any]], *, shown: int | None = None, **more: Any) -> Markup:
    """A table in a box that scrolls by itself; of its rows the first `shown` are, until the reader asks for more.

    Headings are keys of WORDS, or Markup.
    """
    head = element(
        "tr",
        *(element("th", element("button", _heading(each), type="button"), scope="col") for each in headings),
    )
    body = []
    for number, row in enumerate(rows):
        hidden = "more" if shown is not None and number >= shown else None
        body.append(element("tr", *(element("td", cell) for cell in row), class_=hidden))
    inner = element("table", element("thead", head), element("tbody", *body), data_shown=shown, **more)
    return element("div", inner, class_="scroll")


def _heading(given: Any) -> Markup:
    return given if isinstance(given, Markup) else translated(given)


def number(value: Any, digits: int = 3) -> Markup:
    """A number for people; a dash where there is none."""
    if pd.isna(value):
        return Markup(DASH)
    if isinstance(value, str | bool):
        return escaped(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return Markup(f"{value:.0f}")
    return Markup(f"{value:.{digits}f}" if 0.01 <= abs(value) < 1000 else f"{value:.{digits}g}")


def hours(value: float) -> Markup:
    """Hours to a tenth, fewer than ten more exactly."""
    return Markup(f"{value:,.1f}".removesuffix(".0")) if value >= 10 else number(value)


def fraction(value: float | None) -> Markup:
    """A share or score with three places; a dash where there is none."""
    return Markup(DASH) if pd.isna(value) else Markup(f"{value:.3f}")


def percent(value: float | None) -> Markup:
    """A share in percent; a dash where there is none."""
    return Markup(DASH) if pd.isna(value) else Markup(f"{100 * value:.0f}%")


def with_interval(figure: Figure) -> Markup:
    """A score, and below it its interval if there is one."""
    if math.isnan(figure.low) or math.isnan(figure.high):
        return fraction(figure.value)
    return joined([fraction(figure.value), element("small", f"{figure.low:.3f}{DASH}{figure.high:.3f}")])


def in_words(figure: Figure) -> str:
    """A score with its interval in brackets, if there is one."""
    if math.isnan(figure.low):
        return fraction(figure.value)
    return f"{figure.value:.3f} (95% {figure.low:.3f}{DASH}{figure.high:.3f})"
