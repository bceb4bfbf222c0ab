"""The figures of a section as plotly.js reads them.

Strings that begin with MARK are the page's to fill in: a word in the reader's language, or a colour of the theme.
Everything that comes from data goes through `plain` first.
"""

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skin_tune.results.report.colours import CHAMPION_COLOUR, STATUS_COLOURS
from skin_tune.results.report.model_performance import Calibration
from skin_tune.results.report.nominal import noun
from skin_tune.results.report.section import Section
from skin_tune.results.statistics.model_figures import Figure

MARK = "§"
Spec = dict[str, Any]


def plain(value: Any) -> str:
    """Text that plotly shows as it is: its labels are a kind of HTML, and MARK has a meaning here."""
    return html.escape(str(value)).replace(MARK, "&#167;")


def word(key: str) -> str:
    """A word of the table in `words`."""
    return f"{MARK}{key}"


def digits(values: Any) -> list[float | None]:
    """Numbers to three significant digits; gaps are None."""
    return [None if pd.isna(value) else float(f"{value:.3g}") for value in values]


def learning_curves(section: Section) -> Spec | None:
    """Every trial's metric by epoch, where it ended, and the champion's; None without an epoch."""
    epochs = section.epochs.dropna(subset=[section.metric]).sort_values(["experiment", "trial_id", "epoch"])
    if epochs.empty:
        return None
    keys = ["experiment", "trial_id"]
    epochs = epochs[[*keys, "epoch", section.metric]].merge(section.trials[[*keys, "status"]], on=keys)
    status = epochs["status"].replace("failed", "diverged")
    traces: list[Spec] = []
    for name, colour in STATUS_COLOURS.items():
        of = epochs[status == name]
        if of.empty:
            continue
        x, y = _with_gaps(of, keys, section.metric)
        label = word("diverged_or_failed" if name == "diverged" else name)
        line = {"color": colour, "width": 1}
        traces.append({"type": "scatter", "mode": "lines", "name": label, "x": x, "y": y, "line": line})
        traces[-1] |= {"opacity": 0.45, "hoverinfo": "skip"}
    last = epochs[~epochs.duplicated(keys, keep="last") & (status == "stopped_early")]
    if len(last):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": word("stop"),
                "x": last["epoch"].astype(int).to_list(),
                "y": digits(last[section.metric]),
                "text": [plain(trial) for trial in last["trial_id"]],
                "hovertemplate": "%{text}: %{y} (%{x})<extra></extra>",
                "marker": {"symbol": "x-thin", "size": 6, "line": {"color": "#b07d12", "width": 1.3}},
            }
        )
    if section.champion is not None:
        of = epochs[(epochs[keys] == [section.champion[key] for key in keys]).all(axis=1)]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": word("champion"),
                "x": of["epoch"].astype(int).to_list(),
                "y": digits(of[section.metric]),
                "line": {"color": CHAMPION_COLOUR, "width": 2.5},
                "marker": {"size": 4},
                "hovertemplate": "%{y} (%{x})<extra></extra>",
            }
        )
    axes = {"xaxis": axis("epoch", rangemode="tozero"), "yaxis": axis(section.metric)}
    return {"data": traces, "layout": {"height": 400, "legend": _legend(), **axes}}


def _with_gaps(epochs: pd.DataFrame, keys: list[str], metric: str) -> tuple[list[int], list[float | None]]:
    """One line for all trials, broken between them."""
    starts = np.flatnonzero(~epochs.duplicated(keys).to_numpy())[1:]
    x = np.insert(epochs["epoch"].to_numpy(np.int64), starts, 0)
    y = np.insert(epochs[metric].to_numpy(float), starts, math.nan)
    return x.tolist(), digits(y)


def importance(shares: dict[str, float]) -> Spec:
    """Bars, the most important on top."""
    bars: Spec = {
        "type": "bar",
        "orientation": "h",
        "y": [plain(name) for name in shares],
        "x": digits(shares.values()),
        "texttemplate": "%{x:.0%}",
        "textposition": "auto",
        "marker": {"color": "#3b82d0"},
        "hoverinfo": "skip",
    }
    axes = {
        "xaxis": axis("importance_share", tickformat=".0%", rangemode="tozero"),
        "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
    }
    return {"data": [bars], "layout": {"height": 110 + 30 * len(shares), **axes}}


def recall(
    classes: Sequence[str], recalls: Sequence[Figure], train_images: Sequence[int] | None, *, ordinal: bool
) -> Spec:
    """Recall of each class with its interval, beside its training images."""
    names = [plain(name) for name in classes]
    values = digits(figure.value for figure in recalls)
    bars: Spec = {
        "type": "bar",
        "orientation": "h",
        "y": names,
        "x": values,
        "xaxis": "x2",
        "marker": {"color": "#3b82d0"},
        "hovertemplate": "%{y}: %{x}<extra></extra>",
    }
    absent = [
        {"x": 0, "y": name, "xref": "x2", "text": word("no_image"), "showarrow": False, "xanchor": "left"}
        for name, value in zip(names, values, strict=True)
        if value is None
    ]
    layout = {
        "height": 120 + 34 * len(names),
        "showlegend": False,
        "annotations": absent,
        "xaxis": axis("train_images", domain=[0, 0.4], nticks=4),
        "xaxis2": axis("recall", domain=[0.46, 1], range=[0, 1.02], anchor="y", nticks=6),
        "yaxis": axis(noun("class", ordinal), type="category", autorange="reversed"),
    }
    if train_images is None:
        layout |= {"xaxis2": axis("recall", range=[0, 1.02], anchor="y"), "xaxis": {"visible": False}}
    counts = [_image_counts(names, train_images)] if train_images else []
    return {"data": [*counts, bars, _recall_bounds(names, recalls)], "layout": layout}


def _recall_bounds(names: Sequence[str], recalls: Sequence[Figure]) -> Spec:
    """Error bars, of an invisible line: those of bars cannot be coloured with the theme."""
    known = [(name, each) for name, each in zip(names, recalls, strict=True) if not math.isnan(each.low)]
    return {
        "type": "scatter",
        "mode": "markers",
        "y": [name for name, _ in known],
        "x": digits(each.value for _, each in known),
        "xaxis": "x2",
        "marker": {"opacity": 0},
        "hoverinfo": "skip",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": digits(each.high - each.value for _, each in known),
            "arrayminus": digits(each.value - each.low for _, each in known),
            "color": word("ink"),
            "thickness": 1.2,
            "width": 4,
        },
    }


def _image_counts(names: Sequence[str], images: Sequence[int]) -> Spec:
    return {
        "type": "bar",
        "orientation": "h",
        "y": names,
        "x": list(images),
        "texttemplate": "%{x}",
        "textposition": "auto",
        "insidetextfont": {"color": "#ffffff"},
        "outsidetextfont": {"color": word("ink")},
        "marker": {"color": "#8b93a1"},
        "hoverinfo": "skip",
    }


def reliability(calibration: Calibration, *, ordinal: bool) -> Spec:
    """Accuracy by confidence against the diagonal, and below how many images have it."""
    edge = {"color": word("ink"), "width": 1, "dash": "dot"}
    perfect = {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "line": edge, "hoverinfo": "skip"}
    images = calibration.images.tolist()
    points: Spec = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": word("model"),
        "x": digits(calibration.confidence),
        "y": digits(calibration.accuracy),
        "customdata": images,
        "hovertemplate": "%{x} → %{y} (n = %{customdata})<extra></extra>",
        "line": {"color": CHAMPION_COLOUR, "width": 2},
        "cliponaxis": False,
    }
    counts = {
        "type": "bar",
        "x": points["x"],
        "y": images,
        "yaxis": "y2",
        "width": 0.04,
        "marker": {"color": "#8b93a1"},
        "hovertemplate": "n = %{y}<extra></extra>",
        "showlegend": False,
    }
    layout = {
        "height": 420,
        "legend": _legend(),
        "xaxis": axis(noun("confidence", ordinal), range=[0, 1.02], anchor="y2"),
        "yaxis": axis("accuracy", range=[0, 1.02], domain=[0.3, 1]),
        "yaxis2": axis("images", domain=[0, 0.2], rangemode="tozero", nticks=3),
    }
    return {"data": [{**perfect, "name": word("perfect")}, points, counts], "layout": layout}


def axis(title: str, **more: Any) -> Spec:
    """An axis with a title of the table of words."""
    return {"title": {"text": word(title)}, "automargin": True, **more}


def _legend() -> Spec:
    return {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
