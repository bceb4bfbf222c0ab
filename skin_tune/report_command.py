"""The command `report`."""

from pathlib import Path
from typing import Annotated

import typer

from skin_tune.options import Storage


def report(
    storage: Storage = Path("runs"),
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Only this experiment.")] = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    price_per_gpu_hour: Annotated[float | None, typer.Option(help="Show costs in money, too.")] = None,
) -> None:
    """Write one HTML file on trials, champions, intervals and costs that opens without a network."""
    from skin_tune.results.report import write_report

    size = write_report(storage, out, region=region, experiment=experiment, price=price_per_gpu_hour)
    print(f"{out}: {size / 1e6:.1f} MB; open it in a browser")
