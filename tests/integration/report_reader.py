"""A browser that reads reports."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FIGURES = ("curves", "parallel", "importance", "recall", "calibration", "groups")

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (apt-get install chromium chromium-driver)"
)


class Reader:
    """A browser with the page open."""

    def __init__(self, driver: webdriver.Chrome, page: Path | str):
        self.driver = driver
        self.address = page if isinstance(page, str) else page.as_uri()

    def open(self, width: int = 1280, *, scheme: str = "light", media: str = "") -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.emulate(scheme=scheme, media=media)
        self.driver.get(self.address)
        while self.run("return document.readyState") != "complete":  # on a busy machine `get` returns before
            time.sleep(0.05)

    def emulate(self, *, scheme: str = "light", media: str = "") -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        # The page hears of it before the next frame.
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def click(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).click()", selector)

    def drawn(self, region: int, expected: Sequence[str] = FIGURES) -> list[str]:
        """The figures of a region that show something, once all `expected` do or, on a busy machine, after a while."""
        script = """
            return [...document.querySelectorAll(`#region-${arguments[0]} .figure`)].filter((figure) => {
              const box = figure.querySelector("svg.main-svg")?.getBoundingClientRect();
              return box && box.width > 100 && box.height > 50
                && figure.querySelectorAll(".trace, .scatterlayer path, .barlayer path").length;
            }).map((figure) => figure.id.split("-")[2]);
        """
        until = time.monotonic() + 10
        while (found := self.run(script, region)) != list(expected) and time.monotonic() < until:
            time.sleep(0.1)
        return found

    def visible_regions(self) -> list[int]:
        script = "return [...document.querySelectorAll('section.region')].map((each) => each.offsetHeight > 0)"
        return [number for number, shown in enumerate(self.run(script)) if shown]

    def column(self, place: int) -> list[str]:
        """What the visible rows of the first region's leaderboard say in a column."""
        script = """
            return [...document.querySelectorAll("#region-0 table.leaderboard tbody tr")]
              .filter((row) => row.offsetHeight > 0).map((row) => row.cells[arguments[0]].firstChild.textContent);
        """
        return self.run(script, place)

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def assert_silent(self) -> None:
        """Fail where the page has left a word on the console, or asked for anything but itself and what lies below."""
        assert self.driver.get_log("browser") == []
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}
        assert [url for url in asked if not url.startswith(("data:", self.address))] == []


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A headless Chromium that keeps what a page says on the console, and what it asks for."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    os.environ.setdefault("SE_OFFLINE", "true")  # selenium fetches no driver
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
