"""What each address of the server answers: a fixed table, in which no name of a file comes from a request."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from skin_tune.errors import SkinTuneError
from skin_tune.results.report.shell import POLICY, own
from skin_tune.results.watch.pages import LIVE_POLICY, experiment_page, index_page
from skin_tune.results.watch.store import LiveStore

HTML, JSON, SCRIPT, STYLE, TEXT = (
    f"{kind}; charset=utf-8" for kind in ("text/html", "application/json", "text/javascript", "text/css", "text/plain")
)

Query = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    content: bytes = b""
    kind: str = TEXT
    status: int = 200
    policy: str = LIVE_POLICY
    """Its Content-Security-Policy."""
    stays: bool = False
    """Whether a browser may keep it."""


NOT_FOUND = Answer(b"not found\n", status=404)
_UNCHANGED = Answer(status=204)


def answer(store: LiveStore, name: str, query: Query) -> Answer:
    """The answer to a request for `name`, the path below the root of the server."""
    route = _ROUTES.get(name)
    if route is None:
        return NOT_FOUND
    try:
        return route(store, query)
    except (SkinTuneError, OSError) as error:
        return Answer(f"the storage cannot be read at the moment: {error}\n".encode(), status=503)


def _index(store: LiveStore, query: Query) -> Answer:
    return Answer(index_page(str(store.storage), store.poll_seconds).encode(), HTML)


def _experiment(store: LiveStore, query: Query) -> Answer:
    region, name = query.get("region", ""), query.get("name", "")
    if store.experiment(region, name) is None:
        return NOT_FOUND
    links = urlencode({"region": region, "name": name})
    return Answer(experiment_page(str(store.storage), store.poll_seconds, region, name, links).encode(), HTML)


def _index_json(store: LiveStore, query: Query) -> Answer:
    return _json(lambda: store.index(query.get("since", "")))


def _experiment_json(store: LiveStore, query: Query) -> Answer:
    def changes() -> dict[str, Any] | None:
        experiment = store.experiment(query.get("region", ""), query.get("name", ""))
        found = {} if experiment is None else experiment.changes(query.get("since", ""))
        return {"gone": True} if found == {} else found

    return _json(changes)


def _json(ask: Callable[[], dict[str, Any] | None]) -> Answer:
    """What `ask` tells; why the storage cannot be read where it cannot: the page waits for better times."""
    try:
        news = ask()
    except (SkinTuneError, OSError) as error:
        news = {"problem": str(error)}
    if news is None:
        return _UNCHANGED
    return Answer(json.dumps({"now": time.time(), **news}, allow_nan=False, separators=(",", ":")).encode(), JSON)


def _report(store: LiveStore, query: Query) -> Answer:
    region, name = query.get("region", ""), query.get("name", "")
    if store.experiment(region, name) is None:
        return NOT_FOUND
    return Answer(store.report(region, name), HTML, policy=f"{POLICY}; frame-ancestors 'none'")


def _file(kind: str, text: Callable[[], str]) -> Callable[[LiveStore, Query], Answer]:
    @cache
    def content() -> bytes:
        return text().encode()

    return lambda store, query: Answer(content(), kind, stays=True)


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _here(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_ROUTES: Mapping[str, Callable[[LiveStore, Query], Answer]] = {
    "": _index,
    "experiment": _experiment,
    "index.json": _index_json,
    "experiment.json": _experiment_json,
    "report": _report,
    "plotly.js": _file(SCRIPT, _plotly),
    "draw.js": _file(SCRIPT, lambda: own("draw.js")),
    "watch.js": _file(SCRIPT, lambda: _here("watch.js")),
    "watch.css": _file(STYLE, lambda: own("page.css") + _here("watch.css")),
}
