"""Tables that leave out whole columns where there is no room for all, and never cut what is in one."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skin_tune.text.escaping import escaped


@dataclass(frozen=True)
class Column:
    """A column of a table. Those of the highest `drop` are left out first, all together; 0 never is."""

    heading: str
    cells: Sequence[str]
    drop: int = 0
    left: bool = False
    """Whether it is aligned as words are, not as numbers."""


def print_columns(console: Console, columns: Sequence[Column], *, total: bool = False) -> list[Column]:
    """Print the columns for which there is room, and return those that were left out.

    The last row is set off where it is a `total`. Where even the columns that are never left out have no room, lines
    are longer than the terminal is wide.
    """
    shown = list(columns)
    while not fits(console, _table(shown, total)) and (least := max(column.drop for column in shown)):
        shown = [column for column in shown if column.drop < least]
    print_whole(console, _table(shown, total))
    return [column for column in columns if column not in shown]


def have_room(console: Console, columns: Sequence[Column]) -> bool:
    """Whether all the columns can be printed."""
    return fits(console, _table(columns, total=False))


def fits(console: Console, table: Table) -> bool:
    """Whether a table can be printed as it is."""
    return _width(console, table) <= console.width


def print_whole(console: Console, table: Table) -> None:
    """Print a table with every cell as it is, beyond the terminal's width if need be."""
    width = console.width
    console.width = max(_width(console, table), width)  # rich prints nothing wider than its console
    console.print(table, crop=False)
    console.width = width


def _width(console: Console, table: Table) -> int:
    # rich measures no wider than it is told the terminal is.
    return console.measure(table, options=console.options.update(width=10_000)).maximum


def _table(columns: Sequence[Column], total: bool) -> Table:
    table = Table(box=None)
    for column in columns:
        lines = [escaped(line) for line in column.heading.split("\n")]  # a console escapes those of a text, too
        table.add_column(Text("\n".join(lines)), justify="left" if column.left else "right", no_wrap=True)
    rows = list(zip(*(column.cells for column in columns), strict=True))
    for number, row in enumerate(rows, start=1):
        table.add_row(*row, style="bold" if total and number == len(rows) else None)
    return table
