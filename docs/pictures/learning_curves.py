"""Learning curves as a small SVG: `python docs/pictures/learning_curves.py STORAGE EXPERIMENT OUT.svg`."""

import json
import sys
from pathlib import Path

import pandas as pd

from skin_tune.results import load_epochs, load_trials
from skin_tune.results.store.ranking import best_first, metric_of

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 46, 44
METRIC = "val_balanced_acc_adjusted"
BEST, COMPLETED, STOPPED = "#0b6e4f", "#7fb8a4", "#b9b9b9"


def draw_learning_curves(storage: Path, experiment: str, out: Path) -> None:
    """Write every trial's adjusted balanced accuracy on the validation split by epoch, the best trial's in front."""
    trials = load_trials(storage, experiment=experiment)
    trials = best_first(trials, metric_of(trials)).iloc[::-1]
    epochs = load_epochs(storage, experiment=experiment).sort_values("epoch")
    curves = {trial: rows.set_index("epoch")[METRIC] for trial, rows in epochs.groupby("trial_id")}
    picture = Picture(last_epoch=int(epochs["epoch"].max()), highest=float(epochs[METRIC].max()))
    chance = 1 / len(json.loads(trials["classes"].iloc[0]))
    stopped = trials["status"].eq("stopped_early")
    lines = [*picture.frame(), picture.chance(chance)]
    for trial, is_stopped in zip(trials["trial_id"], stopped, strict=True):
        colour = BEST if trial == trials["trial_id"].iloc[-1] else STOPPED if is_stopped else COMPLETED
        lines += picture.curve(curves[trial], colour)
    title = f"{len(trials)} trials, {stopped.sum()} stopped early: {len(epochs)} of {picture.last * len(trials)} epochs"
    lines += picture.legend(title, [(BEST, "best trial"), (COMPLETED, "completed"), (STOPPED, "stopped early")])
    out.write_text("\n".join([picture.opening(title), *lines, "</svg>\n"]), encoding="utf-8")


class Picture:
    """Places epochs 1 to `last` and values 0 to `highest`, in SVG's pixels."""

    def __init__(self, last_epoch: int, highest: float):
        self.last = last_epoch
        self.top = -(-highest // 0.1) * 0.1  # the next tenth

    def x(self, epoch: float) -> float:
        return LEFT + (epoch - 1) / max(self.last - 1, 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)

    def opening(self, title: str) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"'
            ' font-family="system-ui, sans-serif" font-size="13" fill="#333">\n'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        )

    def frame(self) -> list[str]:
        """Grid lines each 0.2, epoch numbers, and the names of both axes."""
        lines = []
        for step in range(0, round(self.top * 10) + 1, 2):
            y = self.y(step / 10)
            lines.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e6e6e6"/>')
            lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{step / 10:.1f}</text>')
        for epoch in range(1, self.last + 1):
            lines.append(f'<text x="{self.x(epoch):.1f}" y="{HEIGHT - 22}" text-anchor="middle">{epoch}</text>')
        lines.append(f'<text x="{self.x((1 + self.last) / 2):.1f}" y="{HEIGHT - 5}" text-anchor="middle">epoch</text>')
        middle = self.y(self.top / 2)
        turned = f'transform="rotate(-90 14 {middle:.1f})"'
        lines.append(f'<text x="14" y="{middle:.1f}" text-anchor="middle" {turned}>balanced accuracy</text>')
        return lines

    def chance(self, value: float) -> str:
        y, right = self.y(value), WIDTH - RIGHT
        return (
            f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#a33" stroke-dasharray="4 4"/>'
            f'<text x="{right + 12}" y="{y + 4:.1f}" fill="#a33">guessing: {value:.3f}</text>'
        )

    def curve(self, values: pd.Series, colour: str) -> list[str]:
        """A line through a trial's values by epoch, with a dot where it ends."""
        points = [f"{self.x(epoch):.1f},{self.y(value):.1f}" for epoch, value in values.items()]
        x, y = points[-1].split(",")
        width = 3 if colour == BEST else 1.6
        return [
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="{width}"/>',
            f'<circle cx="{x}" cy="{y}" r="{width + 1}" fill="{colour}"/>',
        ]

    def legend(self, title: str, entries: list[tuple[str, str]]) -> list[str]:
        lines = [f'<text x="{LEFT}" y="24" font-size="15">{title}</text>']
        for row, (colour, name) in enumerate(entries):
            y = TOP + 14 + 20 * row
            lines.append(f'<path d="M{WIDTH - RIGHT + 12} {y}h20" stroke="{colour}" stroke-width="3"/>')
            lines.append(f'<text x="{WIDTH - RIGHT + 40}" y="{y + 4}">{name}</text>')
        return lines


if __name__ == "__main__":
    draw_learning_curves(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
