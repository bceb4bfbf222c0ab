"""What people see at the end of runs of given configs: the champion, the ablation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from skin_tune.results.champion import confirmed_by
from skin_tune.show.console import open_console
from skin_tune.show.trials import cost_line

if TYPE_CHECKING:
    from skin_tune.results.champion import Championship
    from skin_tune.results.factorial import Factorial
    from skin_tune.tuning.confirm import Confirmation


def print_confirmation(
    confirmation: "Confirmation", result: "Championship", storage: Path, price: float | None = None
) -> None:
    """The confirmed configs, the champion, and whether it is more than luck."""
    console = open_console()
    table = Table("config of trial", box=None)
    for heading in (f"{confirmation.metric}, mean of {result.seeds}", "spread over seeds", "behind the champion", ""):
        table.add_column(heading, justify="right")
    for row in result.configs.to_dict("records"):
        behind = _interval(-row["difference"], -row["difference_high"], -row["difference_low"])
        table.add_row(
            row["trial_id"],
            _interval(row["mean"], row["low"], row["high"]),
            f"{row['spread']:.3f}" if row["spread"] == row["spread"] else "-",
            "champion" if row["trial_id"] == result.champion else behind,
            "within noise" if row["within_noise"] else "",
        )
    console.print(table)
    if result.failed:
        console.print(f"a run of {', '.join(result.failed)} diverged or failed: out of the running")
    if result.rivals:
        console.print(f"{result.champion} is champion by its lower bound; {', '.join(result.rivals)} may be as good")
    elif len(result.configs) > 1:
        console.print(f"{result.champion} is champion: the others are behind it by more than noise")
    else:
        console.print(f"{result.champion} has no rival")
    console.print(
        "intervals are of 95 %, over subjects and seeds" if result.seeds > 1 else "one seed: intervals over subjects"
    )
    if line := cost_line(confirmation.outcome.rows, price):
        console.print(line)
    experiment = confirmed_by(confirmation.experiment)
    console.print(
        f"refit it: skin-tune refit {experiment} --trial {result.champion} --storage {storage}", soft_wrap=True
    )


def print_ablation(
    result: "Factorial", rows: Sequence[Mapping[str, Any]], figure: Path, price: float | None = None
) -> None:
    """Cells and effects of a factorial."""
    console = open_console()
    table = Table("loss", "oversampling", "augmentation", box=None)
    recalls = [f"recall of {name}" for name in result.rare]
    for heading in ("balanced acc", "macro F1", "acc", *recalls):
        table.add_column(heading, justify="right")
    for row in result.cells.to_dict("records"):
        shown = [
            _interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
            for name in ("val_balanced_acc", "val_macro_f1")
        ]
        plain = [row["val_acc"], *(row[f"val_recall_{name}"] for name in result.rare)]
        table.add_row(row["loss"], row["oversampling"], row["augmentation"], *shown, *(f"{each:.3f}" for each in plain))
    console.print(table)
    console.print()
    effects = Table("effect", box=None)
    for heading in ("on balanced acc", "on macro F1"):
        effects.add_column(heading, justify="right")
    for effect, of in result.effects.groupby("effect", sort=False):
        figures = of[["value", "low", "high"]].to_numpy().tolist()
        effects.add_row(str(effect), *(_interval(*each) for each in figures))
    console.print(effects)
    seeds = f"{result.seeds} seeds" if result.seeds > 1 else "one seed (what another would change is not in them)"
    console.print(f"intervals are of 95 %, over subjects and {seeds}; the figure is {figure}")
    if line := cost_line(rows, price):
        console.print(line)


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]" if low == low else f"{value:.3f}"
