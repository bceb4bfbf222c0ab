"""Commands that make pages of a store: `report` writes one, `watch` serves those that follow a run.

Heavy imports wait until a command runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from skin_tune.cli.options import Storage
from skin_tune.text.escaping import escaped

Price = Annotated[float | None, typer.Option(help="Show costs in money, too.")]


def report(
    storage: Storage = Path("runs"),
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Only this experiment.")] = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    price_per_gpu_hour: Price = None,
) -> None:
    """Write one HTML file on trials, champions and costs.

    It opens without a network, in English and Korean.
    """
    from skin_tune.results.report import write_report

    size = write_report(storage, out, region=region, experiment=experiment, price=price_per_gpu_hour)
    print(escaped(f"{out}: {size / 1e6:.1f} MB; open it in a browser"))


def watch(
    storage: Storage = Path("runs"),
    port: Annotated[int, typer.Option(help="Port to serve at; 0 is any free one.")] = 0,
    host: Annotated[
        str, typer.Option(help="Address to serve at; one that others reach gets a token in its address.")
    ] = "127.0.0.1",
    price_per_gpu_hour: Price = None,
) -> None:
    """Serve a page that follows runs while they go on.

    Curves grow and trials appear without a reload. It reads the store and writes nothing; Ctrl-C ends it.
    """
    from skin_tune.results.report import check_price
    from skin_tune.results.watch.server import WatchServer
    from skin_tune.results.watch.store import LiveStore

    check_price(price_per_gpu_hour)
    with WatchServer(LiveStore(storage, price_per_gpu_hour), host, port) as server:
        print(escaped(f"{server.address} shows {storage}; Ctrl-C ends it"), flush=True)
        server.serve_forever()
