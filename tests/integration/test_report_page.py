"""The report as its readers see it, in a headless Chromium."""

import base64
from collections.abc import Iterator

import pytest

from skin_tune.results.report import write_report
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from tests.integration.report_reader import FIGURES, Reader, browser, needs_chromium
from tests.results.report.report_store import write_refit, write_trials

LESIONS = ("akiec", "bcc", "mel", "nv")
EVIL = "<script>console.error('from the data')</script>"

pytestmark = needs_chromium


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
    with browser() as driver:
        yield Reader(driver, folder / "report.html")


@pytest.fixture(autouse=True)
def silent(reader: Reader) -> Iterator[None]:
    """No test leaves a word on the console, or asks for anything but the file."""
    yield
    reader.assert_silent()


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
