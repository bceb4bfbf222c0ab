"""The pages, which scripts fill: the list of experiments, and one experiment."""

from typing import Any

from skin_tune.metrics import SELECTION_METRICS
from skin_tune.results.report.colours import CHAMPION_COLOUR, STATUS_COLOURS
from skin_tune.results.report.markup import Markup, element, translated
from skin_tune.results.report.shell import by_language, data_block, language_buttons
from skin_tune.results.report.translations import WORDS
from skin_tune.results.report.watch_words import WATCH_WORDS

LIVE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No request leaves the server, whatever is in the store; plotly.js writes its own style."""

_SPENT = ("images_drawn", "cost_so_far")
_TILES = (
    "state",
    "trials_over",
    "running_now",
    "best_so_far",
    "time_left",
    "epochs_run",
    "images_drawn",
    "cost_so_far",
)
_INDEX = ("region", "experiment", "state", "trials_over", "best_so_far", "time_left", "last_written")
_OTHER_WORDS = ("failed", "diverged_or_failed", "epoch", "money", "show_all")
_SCRIPTS_WORDS = (*WATCH_WORDS, *STATUS_COLOURS, *SELECTION_METRICS, *_OTHER_WORDS)
"""Words that `watch.js` says."""
_TRIALS = ("trial", "status", "score", "best_epoch", "epochs", "hours", "error_of")


def index_page(storage: str, poll_seconds: float) -> str:
    """The list of a store's experiments."""
    body = element("main", element("h2", translated("experiments")), _table(_INDEX, "list"))
    return _page(storage, {"kind": "index", "seconds": poll_seconds}, body, [])


def experiment_page(storage: str, poll_seconds: float, region: str, name: str, links: str) -> str:
    """One experiment; `links` is the query that names it."""
    tiles = [element("div", element("h3", translated(key)), element("p", id=key), class_="tile") for key in _TILES]
    title = element("h2", region, " · ", name)
    ways = element(
        "p",
        element("a", translated("experiments"), href="./"),
        " · ",
        element("a", translated("full_report"), href=f"report?{links}", target="_blank"),
    )
    curves = element("div", element("div", class_="figure", id="curves"), class_="scroll")
    body = element(
        "main",
        title,
        ways,
        element("div", *tiles, class_="tiles"),
        element("div", element("h3", translated("curves")), curves, class_="block"),
        element("div", element("h3", translated("trials")), _table(_TRIALS, "list"), class_="block"),
    )
    page = {"kind": "experiment", "seconds": poll_seconds, "query": links}
    return _page(storage, page, body, ["plotly.js"])


def _table(headings: tuple[str, ...], name: str) -> Markup:
    heads = [element("th", translated(key) if key in WORDS else "", scope="col", id=f"head-{key}") for key in headings]
    inner = element("table", element("thead", element("tr", *heads)), element("tbody", id=name), class_="leaderboard")
    return element("div", inner, element("button", type="button", id="all", hidden="hidden"), class_="scroll")


def _page(storage: str, page: dict[str, Any], body: Markup, scripts: list[str]) -> str:
    words = by_language({key: WORDS[key] for key in _SCRIPTS_WORDS})
    data = {**page, "words": words, "colours": {**STATUS_COLOURS, "champion": CHAMPION_COLOUR}}
    header = element(
        "header",
        element("h1", "skin-tune · ", translated("live")),
        language_buttons(),
        element("p", storage, " · ", element("span", id="written")),
        element("p", id="trouble", class_="gap", hidden="hidden"),
    )
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>skin-tune · {WORDS['live'][0]}</title>",
            '<link rel="stylesheet" href="watch.css">\n</head>\n<body>',
            header,
            body,
            data_block("page", data),
            *(f'<script src="{name}"></script>' for name in (*scripts, "draw.js", "watch.js")),
            "</body>\n</html>\n",
        ]
    )
