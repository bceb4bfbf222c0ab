"""What all pages have in common: their files, data that scripts read, words in both languages."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skin_tune.results.report.markup import Markup, element
from skin_tune.results.report.translations import LANGUAGES

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""No request leaves the page, whatever is in it."""


def own(name: str) -> str:
    """The text of a file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def data_block(name: str, value: Any) -> str:
    """JSON in which no text can end the element it is in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{name}">{text}</script>'


def by_language(words: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Words as scripts look them up: first by language, then by key."""
    return {language: {key: text[place] for key, text in words.items()} for place, language in enumerate(LANGUAGES)}


def language_buttons() -> Markup:
    """A button for each language."""
    languages = [
        element("button", name, type="button", data_language=language)
        for language, name in zip(LANGUAGES, ("English", "한국어"), strict=True)
    ]
    return element("div", *languages, class_="languages")
