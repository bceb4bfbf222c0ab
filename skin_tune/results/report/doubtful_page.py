"""A page of photos whose grades are in doubt, to be looked at again; it holds their crops and opens offline."""

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from skin_tune.results.report.markup import Markup, element, escaped, joined
from skin_tune.storage.files import atomic_write

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; padding: 0; }
li { list-style: none; border: 1px solid #ccc; border-radius: 4px; padding: .6rem; overflow-wrap: anywhere; }
img { width: 100%; image-rendering: pixelated; background: #eee; }
p { margin: .3rem 0; } .source { color: #666; font-size: 85%; }
"""


def write_page(rows: pd.DataFrame, crops: Iterable[np.ndarray], title: str, out: Path) -> None:
    """Write rows of `doubtful_labels` with their crops [H, W, 3] uint8, in that order, as one HTML file."""
    items = [_item(row, crop) for row, crop in zip(rows.to_dict("records"), crops, strict=True)]
    head = joined(
        [
            Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width">'),
            element("title", title),
            element("style", Markup(_STYLE)),
        ]
    )
    told = "Most doubtful first. A certainty is the mean probability of models that never saw this person."
    body = joined([element("h1", title), element("p", told), element("ol", *items)])
    with atomic_write(out) as temporary:
        temporary.write_text(f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>', "utf-8")


def _item(row: Mapping[Any, Any], crop: np.ndarray) -> Markup:
    grade, models = escaped(row["grade"]), escaped(row["models_grade"])
    return element(
        "li",
        element("img", src=_png(crop), alt=f"crop of {row['source']}"),
        element("p", "given ", element("b", grade), ", models ", element("b", models), f" ({row['certainty']:.0%})"),
        element("p", f"{row['subject']}: {row['of_subject']:.0%} of the photos contradicted"),
        element("p", row["source"], class_="source"),
    )


def _png(crop: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(crop).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
