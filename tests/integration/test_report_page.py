"""The report as its readers see it, in a headless Chromium."""

import base64
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from skin_tune.results.report import write_report
from skin_tune.results.schema import now
from skin_tune.results.store import ExperimentWriter
from tests.results.report_store import write_refit, write_trials

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FIGURES = ("curves", "parallel", "importance", "recall", "calibration")
LESIONS = ("akiec", "bcc", "mel", "nv")
EVIL = "<script>console.error('from the data')</script>"

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (apt-get install chromium chromium-driver)"
)


class Reader:
    """A browser with the page open."""

    def __init__(self, driver: webdriver.Chrome, page: Path):
        self.driver, self.page = driver, page

    def open(self, width: int = 1280, *, scheme: str = "light", media: str = "") -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.emulate(scheme=scheme, media=media)
        self.driver.get(self.page.as_uri())

    def emulate(self, *, scheme: str = "light", media: str = "") -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        # The page hears of it before the next frame.
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def click(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).click()", selector)

    def drawn(self, region: int) -> list[str]:
        """The figures of a region that show something, once all do or, on a busy machine, after some seconds."""
        script = """
            return [...document.querySelectorAll(`#region-${arguments[0]} .figure`)].filter((figure) => {
              const box = figure.querySelector("svg.main-svg")?.getBoundingClientRect();
              return box && box.width > 100 && box.height > 50
                && figure.querySelectorAll(".trace, .scatterlayer path, .barlayer path").length;
            }).map((figure) => figure.id.split("-")[2]);
        """
        until = time.monotonic() + 10
        while (found := self.run(script, region)) != list(FIGURES) and time.monotonic() < until:
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


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("page")
    for region in ("chin_sagging", "lip_dryness"):
        write_trials(folder / "runs", region, "exp", trials=30)
    writer = ExperimentWriter(folder / "runs", "lip_dryness", "exp")
    writer.update_trial(EVIL, status="failed", error=EVIL, started_at=now(), pack_id="f00d")
    writer.flush()
    writer.close()
    write_refit(folder / "runs", "exp-013", "lip_dryness")
    write_trials(folder / "runs", "skin_lesion", "exp", trials=30, classes=LESIONS, ordinal=False)
    write_refit(folder / "runs", "exp-013", "skin_lesion", classes=LESIONS, ordinal=False)
    write_report(folder / "runs", folder / "report.html", price=1.0)
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    os.environ.setdefault("SE_OFFLINE", "true")  # selenium fetches no driver
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield Reader(driver, folder / "report.html")
    driver.quit()


@pytest.fixture(autouse=True)
def silent(reader: Reader) -> Iterator[None]:
    """No test leaves a word on the console, or asks for anything but the file."""
    yield
    assert reader.driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in reader.driver.get_log("performance")]
    asked = {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}
    assert {url for url in asked if not url.startswith("data:")} <= {reader.page.as_uri()}


def test_the_figures_of_the_first_region_are_drawn(reader: Reader):
    reader.open()
    assert reader.visible_regions() == [0]
    assert reader.drawn(0) == list(FIGURES)


def test_a_region_is_chosen(reader: Reader):
    reader.open()
    reader.click("nav button[data-choose='1']")
    assert reader.visible_regions() == [1]
    assert reader.drawn(1) == list(FIGURES)
    assert reader.run("return document.querySelector('nav [aria-pressed=true]').innerText") == "lip_dryness"
    reader.click("article a[data-choose='0']")
    assert reader.visible_regions() == [0]


def test_a_column_is_sorted_up_and_down_and_gaps_come_last(reader: Reader):
    reader.open()
    assert len(reader.column(0)) == 20
    score = "#region-0 table.leaderboard th:nth-child(3) button"
    reader.click(score)
    up = [float(value) for value in reader.column(2)]
    assert up == sorted(up)
    reader.click(score)
    down = [float(value) for value in reader.column(2)]
    assert down == sorted(down, reverse=True)
    assert down[0] > up[-1]
    reader.click("#region-0 button.all")
    assert len(reader.column(0)) == 30
    reader.click("#region-0 table.leaderboard th:nth-child(9) button")
    assert reader.column(8)[-1] == "\N{EN DASH}"  # the best is not held against itself
    reader.click("#region-0 table.leaderboard th:nth-child(2) button")
    assert reader.column(1) == [f"exp-{number:03d}" for number in range(30)]


def test_the_language_is_switched_everywhere(reader: Reader):
    reader.open()
    assert "Leaderboard" in reader.text("main")
    assert "순위표" not in reader.text("main")
    reader.click("[data-language=ko]")
    assert "순위표" in reader.text("main")
    assert "Leaderboard" not in reader.text("main")
    titles = reader.run("return [...document.querySelectorAll('#figure-0-curves .xtitle')].map((t) => t.textContent)")
    assert titles == ["에폭"]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_of_the_screen(reader: Reader, width: int, language: str):
    reader.open(width)
    reader.click(f"[data-language={language}]")
    for region in (0, 1, 2):
        reader.click(f"nav button[data-choose='{region}']")
        assert reader.run("return document.documentElement.scrollWidth") <= width
        assert reader.drawn(region) == list(FIGURES)


def test_dark_and_light_follow_the_reader_while_the_page_is_open(reader: Reader):
    colour = "return getComputedStyle(document.body).backgroundColor"
    ink = "return document.querySelector('#figure-0-curves .xtitle').style.fill"
    reader.open(scheme="dark")
    dark = (reader.run(colour), reader.run(ink))
    assert dark == ("rgb(20, 23, 28)", "rgb(231, 234, 239)")
    reader.emulate(scheme="light")
    assert (reader.run(colour), reader.run(ink)) == ("rgb(255, 255, 255)", "rgb(28, 32, 38)")


def test_print_has_all_regions_on_white_whatever_the_screen_has(reader: Reader):
    reader.open(scheme="dark")
    reader.emulate(scheme="dark", media="print")
    assert reader.visible_regions() == [0, 1, 2]
    assert reader.drawn(0) == reader.drawn(1) == reader.drawn(2) == list(FIGURES)
    assert reader.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert reader.run("return document.querySelector('#figure-1-curves .xtitle').style.fill") == "rgb(28, 32, 38)"
    reader.emulate(scheme="dark")
    assert reader.visible_regions() == [0]
    pdf = reader.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    assert base64.b64decode(pdf).count(b"/Type /Page\n") > 4
    assert reader.visible_regions() == [0]


def test_what_came_from_data_is_text(reader: Reader):
    reader.open()
    reader.click("nav button[data-choose='1']")
    reader.click("#region-1 button.all")
    assert EVIL in reader.text("#region-1 table.leaderboard")
    assert EVIL in reader.text("#summary")


@pytest.mark.parametrize(("language", "axis", "word"), [("en", "Class", "MAE (steps)"), ("ko", "클래스", "등급")])
def test_classes_without_an_order_are_shown_without_one(reader: Reader, language: str, axis: str, word: str):
    reader.open()
    reader.click(f"[data-language={language}]")
    reader.click("nav button[data-choose='2']")
    assert reader.drawn(2) == list(FIGURES)
    text = reader.text("#region-2")
    assert word not in text
    assert text.count("QWK") == 1  # in the sentence that says why
    titles = reader.run("return [...document.querySelectorAll('#figure-2-recall .ytitle')].map((t) => t.textContent)")
    assert titles == [axis]
    reader.click("nav button[data-choose='0']")
    assert word in reader.text("#region-0")
