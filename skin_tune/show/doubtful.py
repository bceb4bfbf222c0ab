"""Output of `audit`: photos whose grades are in doubt."""

import json
from typing import TYPE_CHECKING

from skin_tune.show.console import open_console
from skin_tune.show.csv_output import frame_csv
from skin_tune.show.tables import Column, print_columns
from skin_tune.text.wording import counted

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 20


def print_doubtful(rows: "pd.DataFrame", format: str, limit: int | None = None) -> None:
    """Rows of `doubtful_labels`: all of them for a program, for people the first that are contradicted."""
    if format == "csv":
        print(frame_csv(rows.head(limit or len(rows))), end="")
        return
    if format == "json":
        print(json.dumps(rows.head(limit or len(rows)).to_dict("records"), ensure_ascii=False))
        return
    console = open_console()
    contradicted = rows[rows["contradicted"]]
    shown = contradicted.head(limit or _ROWS)
    if len(shown):
        print_columns(console, _columns(shown))
    people = counted(contradicted["subject"].nunique(), "subject")
    console.print(
        f"{len(contradicted)} of {counted(len(rows), 'photo')} contradicted, of {people}; "
        "the models may be wrong about any of them: look at the photos",
        soft_wrap=True,
    )


def _columns(rows: "pd.DataFrame") -> list[Column]:
    return [
        Column("photo", _names(rows), left=True),
        Column("subject", rows["subject"].astype(str).tolist(), drop=1, left=True),
        Column("grade", rows["grade"].tolist()),
        Column("models", rows["models_grade"].tolist()),
        Column("certainty", [f"{value:.2f}" for value in rows["certainty"]]),
        Column("of subject's\nphotos", [f"{value:.0%}" for value in rows["of_subject"]], drop=2),
    ]


def _names(rows: "pd.DataFrame") -> list[str]:
    """Photos by name, with the number of the crop where one of them is not the first of its photo."""
    if not rows["crop"].any():
        return list(rows["source"])
    return [f"{source} #{crop + 1}" for source, crop in zip(rows["source"], rows["crop"], strict=True)]
