"""Measured learning curves of a grid of configs on three small data sets, and what they say.

    python -m benchmarks.curves measure ham10000 --work curves --data ham10000/labels.csv
    python -m benchmarks.curves measure digits --work curves
    python -m benchmarks.curves choosing digits --work curves
    python -m benchmarks.curves searches faces

`measure` trains every config to its end, an hour or two of a core a data set, resumes where it was interrupted, and
writes the table of scores beside this file. `choosing` compares what to choose epochs and trials by, from
the predictions that `measure` kept. `searches` replays searches on a table; with `--syne-tune` also Syne Tune's, by the
Python of an environment that has it.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.curves.choosing import compare_metrics, load
from benchmarks.curves.data import DATA_SETS, pack_of
from benchmarks.curves.measure import SPLITS
from benchmarks.curves.measure import measure as measure_curves
from benchmarks.curves.table import METRICS, load_table, table_file, write_table

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)

Name = Annotated[str, typer.Argument(help=f"One of {', '.join(DATA_SETS)}.")]
Work = Annotated[Path, typer.Option(help="Folder of packs and predictions.")]


@app.command()
def measure(
    name: Name, work: Work, data: Annotated[Path | None, typer.Option(help="The CSV of HAM10000.")] = None
) -> None:
    """Train the configs that have no predictions yet, and write the table."""
    pack = pack_of(name, work / name, data)
    measure_curves(pack, work / name / "predictions")
    labels = {split: pack.labels[pack.indices(split)] for split in SPLITS}
    write_table(name, work / name / "predictions", labels)


@app.command()
def choosing(name: Name, work: Work) -> None:
    """Compare metrics by what they choose."""
    people = load(pack_of(name, work / name), work / name / "predictions")
    Console(width=160).print(f"{len(people.probabilities)} configs\n{compare_metrics(people).round(3).to_string()}")


@app.command()
def searches(
    name: Name,
    metric: Annotated[str, typer.Option(help=f"What searches go by: one of {', '.join(METRICS)}.")] = METRICS[0],
    seeds: Annotated[int, typer.Option(help="Searches of each kind.")] = 20,
    syne_tune: Annotated[Path | None, typer.Option(help="Python of an environment with Syne Tune.")] = None,
) -> None:
    """Compare searches by the epochs that they need."""
    from benchmarks.curves.compared import compare_searches

    if not table_file(name).is_file():
        raise typer.BadParameter(f"{name} has no table yet: measure it first")
    if metric not in METRICS:
        raise typer.BadParameter(f"--metric {metric!r} is not one of {', '.join(METRICS)}")
    Console(width=160).print(compare_searches(load_table(name, metric), seeds, syne_tune).to_string())


if __name__ == "__main__":
    app()
