"""A report as somebody reads it."""

import json
import re
from pathlib import Path
from typing import Any

from skin_tune.results.report import write_report


def report_of(storage: Path, **options: Any) -> str:
    out = storage / "report.html"
    write_report(storage, out, **options)
    return out.read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """What a reader without scripts sees of it, in English."""
    body = page[page.index("<main>") : page.index("</main>")]
    korean = re.sub(r'<span lang="ko">.*?</span>', "", body)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", korean))


def specs_of(page: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for content in re.findall(r'<script type="application/json" id="figures-\d+">(.*?)</script>', page):
        found |= json.loads(content)
    return found
