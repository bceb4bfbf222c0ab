"""Where everything that people read is printed."""

import os

from rich.console import Console

_LOG_WIDTH = 200


def open_console(*, stderr: bool = False) -> Console:
    """Standard output or error; where it is not a terminal, COLUMNS wide, else wide enough for a table.

    Text is not broken: the terminal does that itself, and what is copied from it stays whole.
    """
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = _LOG_WIDTH
    return console
