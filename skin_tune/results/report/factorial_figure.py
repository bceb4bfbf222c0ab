"""The picture of a factorial: the cells, and the effects with their intervals."""

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from skin_tune.metrics import ADJUSTED
from skin_tune.results.statistics.factorial import Factorial
from skin_tune.storage.files import atomic_write

_METRIC = "val_balanced_acc"
_DECISIONS = {
    _METRIC: ("plain decision", "solid", "circle"),
    f"{_METRIC}{ADJUSTED}": ("adjusted", "dash", "diamond-open"),
}
"""Of each metric that is drawn: the decision it is of, its line and its marker."""
_COLOURS = ("#8c8c8c", "#e69f00", "#0072b2")  # of the losses; told apart by colour-blind eyes, too (Okabe & Ito 2008)


def write_figure(result: Factorial, out: Path) -> None:
    """One HTML file that opens offline."""
    figure = figure_of(result)
    with atomic_write(out) as temporary:
        figure.write_html(temporary, include_plotlyjs=True, full_html=True, config={"displaylogo": False})


def figure_of(result: Factorial) -> go.Figure:
    """Balanced accuracy by oversampling, a line for each loss, without and with augmentation; below, all effects.

    The adjusted decision, where there is one, has dashed lines and open marks.
    """
    drawn = [metric for metric in _DECISIONS if metric in result.metrics]
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{}, {}], [{"colspan": 2}, None]],
        subplot_titles=("augmentation off", "augmentation on", "effects on balanced accuracy, 95 % intervals"),
        shared_yaxes=True,
        row_heights=[0.45, 0.55],
        vertical_spacing=0.13,
    )
    for column, augmentation in enumerate(("off", "on"), start=1):
        for metric in drawn:
            _add_cells(figure, column, result.cells[result.cells["augmentation"] == augmentation], metric)
    figure.update_yaxes(row=1, col=1, title="balanced accuracy")
    effects = result.effects.iloc[::-1]  # the first is to be at the top
    for number, metric in enumerate(drawn):
        _add_effects(figure, effects[effects["metric"] == metric], metric, below=0.2 * number)
    names = effects["effect"].unique().tolist()
    figure.update_yaxes(row=2, col=1, tickvals=list(range(len(names))), ticktext=names)
    figure.add_vline(row=2, col=1, x=0, line={"color": "#8c8c8c", "dash": "dot"})
    figure.update_layout(
        template="plotly_white",
        height=960,
        width=1000,
        legend={"orientation": "h", "y": 1.06, "yanchor": "bottom"},
        margin={"l": 40, "r": 20, "t": 150, "b": 40},
    )
    figure.update_yaxes(automargin=True)
    return figure


def _add_cells(figure: go.Figure, column: int, cells: pd.DataFrame, metric: str) -> None:
    decision, dash, symbol = _DECISIONS[metric]
    for number, (loss, rows) in enumerate(cells.groupby("loss", sort=False)):
        figure.add_scatter(
            row=1,
            col=column,
            x=[place + 0.05 * (number - 1) for place in range(len(rows))],
            y=rows[metric],
            error_y={
                "array": rows[f"{metric}_high"] - rows[metric],
                "arrayminus": rows[metric] - rows[f"{metric}_low"],
            },
            name=str(loss) if metric == _METRIC else f"{loss}, {decision}",
            legendgroup=str(loss),
            showlegend=column == 1,
            line={"color": _COLOURS[number % len(_COLOURS)], "dash": dash},
            marker={"symbol": symbol},
        )
    figure.update_xaxes(
        row=1, col=column, tickvals=[0, 1], ticktext=["none", "balanced"], range=[-0.4, 1.4], title="oversampling"
    )


def _add_effects(figure: go.Figure, effects: pd.DataFrame, metric: str, *, below: float) -> None:
    decision, _, symbol = _DECISIONS[metric]
    figure.add_scatter(
        row=2,
        col=1,
        x=effects["value"],
        y=[place - below for place in range(len(effects))],
        error_x={"array": effects["high"] - effects["value"], "arrayminus": effects["value"] - effects["low"]},
        mode="markers",
        name=decision,
        marker={"color": "#333333", "size": 8, "symbol": symbol},
    )
