"""Text that others wrote, as people may see it: on a terminal, in an error, in a spreadsheet."""

import re
import reprlib
from typing import Any

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Codes that move the cursor, colour, end the line or turn the direction of writing, and halves of characters."""

_MOST_OF_AN_ERROR = 500
"""Characters: a screen of six lines."""

_MOST_OF_A_VALUE = 100
"""Characters, of which an error names one value or two."""

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def has_control(text: str) -> bool:
    """Whether `text` holds what a terminal would obey or a line cannot hold."""
    return _CONTROL.search(text) is not None


def escaped(text: str) -> str:
    """`text` on one line, with what a terminal would obey spelled out, such as ``\\x1b`` and ``\\n``."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def error_line(message: str) -> str:
    """An error as it is printed: `escaped`, and of one too long the beginning and the end."""
    line = escaped(message)
    if len(line) <= _MOST_OF_AN_ERROR:
        return line
    end = _MOST_OF_AN_ERROR // 3
    return f"{line[: _MOST_OF_AN_ERROR - end - 5]} ... {line[-end:]}"


def one_line(error: BaseException, most: int = 300) -> str:
    """An error's message on one line of at most `most` characters, or its type where it has no message."""
    return (" ".join(str(error).split()) or type(error).__name__)[:most]


class _Shown(reprlib.Repr):
    """Python's own bounded repr; what is no plain value is told by its type, since its repr may do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring, self.maxlong, self.maxlevel = _MOST_OF_A_VALUE, 40, 2

    def repr_instance(self, x: Any, level: int) -> str:
        return repr(x) if x is None or isinstance(x, bool | float) else f"a {type(x).__name__}"

    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if abs(x) < 10**1000 else "a number of more than 1000 digits"


def shown(value: Any) -> str:
    """A value of a file as an error names it: bounded, whatever it holds."""
    text = _Shown().repr(value)
    return text if len(text) <= _MOST_OF_A_VALUE else f"{text[:_MOST_OF_A_VALUE]}..."


def spreadsheet_cell(value: Any) -> Any:
    """`value` as a cell of a CSV file that no spreadsheet runs: a text that would be taken for a formula gets a ``'``.

    Numbers, and texts that are numbers, stay. A text that begins so after one or more ``'`` gets another: who takes one
    off each such cell has the texts as they were.
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}" if _FORMULA.match(value.lstrip("' ")) else value
