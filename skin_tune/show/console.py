"""Where everything that people read is printed."""

from rich.console import Console
from rich.table import Table

_LOG_WIDTH = 160


def open_console(*, stderr: bool = False) -> Console:
    """Standard output or error, wide enough for a table where it is not a terminal."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    return console


def fits(console: Console, table: Table) -> bool:
    """Whether a table can be printed whole; rich measures no wider than it is told the terminal is."""
    return console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width
