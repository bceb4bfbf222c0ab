"""Rows as CSV, in which a spreadsheet finds no formula."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skin_tune.text.escaping import spreadsheet_cell

if TYPE_CHECKING:
    import pandas as pd


def rows_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same names, at least one, below a line of these."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(spreadsheet_cell, rows[0]))
    writer.writerows(map(spreadsheet_cell, row.values()) for row in rows)
    return text.getvalue()


def frame_csv(frame: "pd.DataFrame") -> str:
    """A data frame as pandas writes it, without its index."""
    import pandas as pd

    words = [name for name in frame if pd.api.types.is_string_dtype(frame[name].dtype)]
    safe = frame.assign(**{str(name): frame[name].map(spreadsheet_cell) for name in words})
    return safe.rename(columns=spreadsheet_cell).to_csv(index=False)
