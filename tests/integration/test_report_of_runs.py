"""The report of runs as newcomers make them, in a headless Chromium: none leaves a word on the console."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from skin_tune.results.report import write_report
from skin_tune.results.store.tables import load_trials
from tests.cli_runner import ONE_PROCESS, ROOT, skin_tune_here
from tests.integration.report_reader import FIGURES, Reader, browser, needs_chromium
from tests.results.report.report_store import write_trials

SMALL = ("backbone=resnet18", "weights=none", "image_size=24", "batch_size=16", "epochs=2")
ALL_BUT_IMPORTANCE = ("curves", "parallel", "recall", "calibration", "groups")
ALONE = ("curves", "recall", "calibration", "groups")

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with browser() as driver:
        yield driver


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    assert skin_tune_here("sample", folder / "faces", "--subjects", 21).returncode == 0
    command = ("prepare", folder / "faces", "--region", "forehead_wrinkle", "--size", 24, "--out", folder)
    assert skin_tune_here(*command).returncode == 0
    return folder / "forehead_wrinkle-24.arrow"


def check_page(driver: webdriver.Chrome, storage: Path, figures: tuple[str, ...]) -> Reader:
    """Open a store's report on a screen, on a phone and on paper: every figure is drawn, and nothing is said."""
    out = storage / "report.html"
    write_report(storage, out)
    reader = Reader(driver, out)
    for width, media in ((1280, ""), (390, ""), (1280, "print")):
        reader.open(width, media=media)
        assert reader.drawn(0, figures) == list(figures)
        reader.click("[data-language=ko]")
        assert reader.drawn(0, figures) == list(figures)
        assert media or reader.run("return document.documentElement.scrollWidth") <= width
    driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    reader.open()
    reader.assert_silent()
    return reader


@pytest.mark.usefixtures("shared_cluster")
def test_the_samples_own_small_run(driver: webdriver.Chrome, pack: Path, tmp_path: Path):
    space = ROOT / "search_spaces" / "sample.yaml"
    where = ("--space", space, "--name", "sample", "--storage", tmp_path, "--trials", 6)  # half of its own
    done = skin_tune_here("tune", pack, *SMALL[2:], *where, *ONE_PROCESS)
    assert done.returncode == 0, done.stderr
    assert len(load_trials(tmp_path)) == 6
    reader = check_page(driver, tmp_path, ALL_BUT_IMPORTANCE)
    assert "it takes 20 trials" in reader.text("#region-0 .importance")


def test_one_training(driver: webdriver.Chrome, pack: Path, tmp_path: Path):
    done = skin_tune_here("train", pack, *SMALL, "--name", "by-hand", "--storage", tmp_path)
    assert done.returncode == 0, done.stderr
    reader = check_page(driver, tmp_path, ALONE)
    assert "The only trial is by-hand" in reader.text("#summary")
    counted = reader.run(
        """
        return [...document.querySelectorAll(".recall_by_class tbody tr")].map((row) => row.cells[1].textContent);
        """
    )
    assert len(counted) == 7
    assert all(images.isdigit() for images in counted)


@pytest.mark.parametrize(("trials", "figures"), [(1, ALONE), (2, ALL_BUT_IMPORTANCE), (300, FIGURES)])
def test_few_and_many_trials(driver: webdriver.Chrome, tmp_path: Path, trials: int, figures: tuple[str, ...]):
    write_trials(tmp_path, trials=trials)
    check_page(driver, tmp_path, figures)


def test_a_figure_that_cannot_be_drawn_does_not_stop_the_others(driver: webdriver.Chrome, tmp_path: Path):
    write_trials(tmp_path, trials=30)
    out = tmp_path / "report.html"
    write_report(tmp_path, out)
    out.write_text(out.read_text().replace('id="figure-0-parallel"', 'id="gone"', 1))
    reader = Reader(driver, out)
    reader.open()
    assert reader.drawn(0, ("curves", "importance", "recall", "calibration")) != []
    (said,) = driver.get_log("browser")
    assert "figure-0-parallel cannot be drawn" in said["message"]
