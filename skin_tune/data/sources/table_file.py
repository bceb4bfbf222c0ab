"""A CSV file as spreadsheets write it: UTF-8, UTF-16 or Korean Windows' cp949, with commas, semicolons or tabs."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skin_tune.data.sources.files import composed
from skin_tune.errors import SourceError

_DELIMITERS = (",", ";", "\t")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .xls


@dataclass(frozen=True)
class Table:
    """Cells as text; every row has at least as many as there are columns."""

    file: Path
    columns: list[str]
    rows: list[list[str]]
    delimiter: str
    encoding: str

    def find(self, name: str) -> int | None:
        """Where the column `name` stands, in any letter case unless one has it to the letter; None if there is none.

        Raises SourceError where more than one could be meant.
        """
        for fold in (str, str.casefold):
            places = [place for place, column in enumerate(self.columns) if fold(column) == fold(name)]
            if len(places) > 1:
                named = " and ".join(repr(self.columns[place]) for place in places)
                raise SourceError(f"{str(self.file)!r} has {len(places)} columns {named} for {name!r}; rename one")
            if places:
                return places[0]
        return None

    def require(self, name: str, option: str) -> int:
        """Where the column `name` stands. Raises SourceError, naming the `option` that picks another, if nowhere."""
        place = self.find(name)
        if place is None:
            raise SourceError(
                f"{str(self.file)!r} has no column {name!r}; it has {', '.join(self.columns) or 'none'}; "
                f"{option} names another"
            )
        return place

    def number_text(self, cell: str) -> str:
        """`cell` with a decimal comma as a point, where commas do not part the cells."""
        return cell.replace(",", ".") if self.delimiter != "," and re.fullmatch(r"\s*[+-]?\d+,\d+\s*", cell) else cell


def read_table(file: Path, expected: Sequence[str]) -> Table:
    """Read a whole table; what parts its cells is told by where the columns `expected` show in its first line.

    Raises SourceError for a file that cannot be read or is no text.
    """
    try:
        text, encoding = _decoded(file.read_bytes(), file)
        delimiter, text = _delimiter(text, expected)
        first, *rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)) or [[]]
    except (OSError, csv.Error) as error:
        raise SourceError(f"{str(file)!r} is not a readable CSV: {getattr(error, 'strerror', None) or error}") from None
    columns = [composed(name) for name in first]
    padded = [row + [""] * (len(columns) - len(row)) for row in rows if row]
    return Table(file, columns, padded, delimiter, encoding)


def _decoded(data: bytes, file: Path) -> tuple[str, str]:
    if data.startswith(_WORKBOOKS):
        raise SourceError(f"{str(file)!r} is an Excel workbook; save it as 'CSV UTF-8'")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\0" in data[:2]:  # every other byte of UTF-16 is 0 in a line of Latin letters
        encodings = ["utf-16-be" if data[0] == 0 else "utf-16-le"]
    else:
        encodings = ["utf-8-sig", "cp949"]
    for encoding in encodings:
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise SourceError(
        f"{str(file)!r} is not a readable CSV: its text is not {' or '.join(encodings)}; save it as UTF-8"
    )


def _delimiter(text: str, expected: Sequence[str]) -> tuple[str, str]:
    """The delimiter, and the text without Excel's line ``sep=;`` that declares it."""
    if told := re.match(r"sep=(.)\r?\n", text):
        return told[1], text[told.end() :]

    def score(delimiter: str) -> tuple[int, int]:
        head = io.StringIO(text[: csv.field_size_limit()], newline="")
        names = [composed(name).casefold() for name in next(csv.reader(head, delimiter=delimiter), [])]
        return sum(composed(name).casefold() in names for name in expected), len(names)

    return max(_DELIMITERS, key=score), text
