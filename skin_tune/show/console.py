"""The console on which everything is printed."""

import os
from typing import Any

from rich.console import Console
from rich.text import Text

from skin_tune.text.escaping import escaped

_LOG_WIDTH = 200


class PlainConsole(Console):
    """Prints each text on one line and as it is: names are others', and a terminal obeys what it is sent."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich's, which is asked for each text and each cell of a table; nothing in it is a command."""
        return super().render_str(escaped(text), **options)


def open_console(*, stderr: bool = False) -> Console:
    """Standard output or error; where it is not a terminal, COLUMNS wide, else wide enough for a table.

    Text is not broken: the terminal does that itself, and what is copied from it stays whole.
    """
    console = PlainConsole(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = _LOG_WIDTH
    return console
