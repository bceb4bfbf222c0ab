"""Parallel coordinates: a line per trial through its hyper-parameters to its score.

Drawn as ordinary lines, not as plotly's `parcoords`: that needs three WebGL contexts a figure, of which a browser gives
a page 16, and none of it can be printed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_tune.results.report.colours import CHAMPION_COLOUR
from skin_tune.results.report.figures import Spec, digits, plain, word
from skin_tune.results.report.importance import MOST_LEVELS, is_logarithmic, is_numeric, is_scale
from skin_tune.results.report.section import Section
from skin_tune.results.store.status import are_usable

_BANDS = 5
"""Fifths of the trials by score, each of a colour of its own, that the legend turns on and off."""
_COLOURS = ("#b9a7d9", "#8f9bd6", "#5b93cf", "#2f8fa8", "#1b7f5f")
_LONGEST = 12


def parallel_coordinates(section: Section, parameters: Sequence[str]) -> Spec | None:
    """Axes in the order of `parameters` (columns of the trials), then the score; None for fewer than two trials."""
    trials = section.trials
    able = trials[are_usable(trials, section.metric)]
    shown = [name for name in parameters if able[name].nunique() > 1]
    if len(able) < 2 or not shown:
        return None
    scaled = [_scaled(able[name]) for name in (*shown, section.metric)]
    heights = np.stack([height for height, _ in scaled], axis=1)  # [trials, axes]
    band = np.minimum((np.arange(len(able))[::-1] * _BANDS) // len(able), _BANDS - 1)  # the first row is the best
    traces = []
    for number in range(_BANDS):
        if not (band == number).any():
            continue
        line = {"color": _COLOURS[number], "width": 1.2}
        traces.append(_lines(heights[band == number], word(f"fifth_{number + 1}"), line, 0.35 + 0.1 * number))
    if section.champion is not None:
        traces.append(_lines(heights[:1], word("champion"), {"color": CHAMPION_COLOUR, "width": 3}, 1))
    titles = [plain(name.removeprefix("config/")) for name in shown] + [word(section.metric)]
    annotations = [
        _text(place, 1.03 + 0.055 * (place % 2), title, yanchor="bottom") for place, title in enumerate(titles)
    ]
    annotations[-1] |= {"x": len(scaled) - 0.5, "xanchor": "right"}  # it would stick out on paper
    for place, (_, ticks) in enumerate(scaled):
        annotations += [_text(place, height, label, **_TICK) for label, height in ticks]
    rules = [
        {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "line": {"color": word("ink"), "width": 1}}
        for place in range(len(scaled))
    ]
    blank = {"visible": False, "fixedrange": True}
    layout = {
        "height": 440,
        "legend": {"orientation": "h", "x": 0, "y": -0.01, "yanchor": "top"},
        "xaxis": {**blank, "range": [-0.45, len(scaled) - 0.5]},
        "yaxis": {**blank, "range": [-0.04, 1.14]},
        "annotations": annotations,
        "shapes": rules,
        "margin": {"l": 10, "r": 10, "t": 0, "b": 60},
        "hovermode": False,
        "meta": {"min_width": 105 * len(scaled)},
    }
    return {"data": traces, "layout": layout}


_TICK = {"xanchor": "left", "xshift": 3, "bgcolor": "§paper", "font": {"size": 11}, "opacity": 0.9, "borderpad": 0}


def _scaled(column: pd.Series) -> tuple[npt.NDArray[np.float64], list[tuple[str, float]]]:
    """Positions of a column's values on an axis from 0 to 1 [trials], NaN for gaps; and its ticks."""
    if is_scale(column):
        values = column.to_numpy(float, na_value=np.nan)
        logarithmic = is_logarithmic(column)
        values = np.log10(values) if logarithmic else values
        low, high = np.nanmin(values), np.nanmax(values)
        ticks = [(low + share * (high - low), share) for share in (0, 0.5, 1)]
        labels = [(_number(10**value if logarithmic else value), share) for value, share in ticks]
        return (values - low) / (high - low), labels
    levels = sorted(column.dropna().unique(), key=lambda level: level if is_numeric(column) else str(level))
    place = {level: 0.04 + 0.92 * number / (len(levels) - 1) for number, level in enumerate(levels)}
    labels = [(_short(level), height) for level, height in place.items()]
    return column.map(place).to_numpy(float, na_value=np.nan), labels[:: -(-len(labels) // MOST_LEVELS)]


def _lines(heights: npt.NDArray[np.float64], name: str, line: Spec, opacity: float) -> Spec:
    """One trace of many lines, broken between trials."""
    count, axes = heights.shape
    y = np.concatenate([heights, np.full((count, 1), np.nan)], axis=1)
    x = np.tile(np.arange(axes + 1), count)
    common = {"type": "scatter", "mode": "lines", "name": name, "hoverinfo": "skip"}
    return {**common, "x": x.tolist(), "y": digits(y.ravel()), "line": line, "opacity": opacity}


def _text(x: float, y: float, text: str, **more: Any) -> Spec:
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": {"size": 12}, **more}


def _number(value: float) -> str:
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def _short(level: Any) -> str:
    first, *others = (f"{level:g}" if isinstance(level, float) else str(level)).split() or [""]
    text = first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1]}…"
    return plain(f"{text} +{len(others)}" if others else text)
