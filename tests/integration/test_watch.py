"""`skin-tune watch` beside a run, as its readers see it in a headless Chromium."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from skin_tune.results.store.writer import ExperimentWriter
from tests.cli_runner import ONE_PROCESS
from tests.conftest import write_synthetic_pack
from tests.integration.commands import Command, command
from tests.integration.processes import wait_until
from tests.integration.report_reader import Reader, browser, needs_chromium
from tests.results.report.report_store import write_trials

SPACE = """
method: grid
parameters:
  learning_rate: {values: [1.0e-3, 3.0e-3]}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 16}
  warmup_epochs: {value: 0}
  epochs: {value: 8}
"""
EVIL = "<img src=x onerror=console.error('from-the-data')>"
SECONDS = 200

pytestmark = needs_chromium


@pytest.fixture
def reader() -> Iterator[Reader]:
    with browser() as driver:
        yield Reader(driver, "about:blank")


def serve(storage: Path) -> tuple[Command, str]:
    """The command, and the address that it has printed."""
    server = command("watch", "--storage", storage)
    assert server.process.stdout is not None
    return server, server.process.stdout.readline().split()[0]


def end(server: Command) -> None:
    """Ctrl-C ends the server at once, as any command."""
    server.process.send_signal(signal.SIGINT)
    code, _, errors = server.ended()
    assert (code, errors) == (130, "interrupted\n")


def number(reader: Reader, tile: str) -> int:
    """The number that a tile begins with; -1 where it has none yet."""
    found = reader.run("return document.getElementById(arguments[0])?.firstChild?.textContent ?? ''", tile)
    return int(found.split()[0]) if found[:1].isdigit() else -1


def points(reader: Reader) -> int:
    """Points of the curves that are drawn."""
    return int(reader.run("return document.querySelectorAll('#curves .point').length"))


def open_first(reader: Reader) -> None:
    """Go to the first experiment of the index, which is filled once the page has asked for it."""
    wait_until(lambda: reader.run("return document.querySelector('#list a') !== null"), SECONDS)
    reader.click("#list a")


def test_a_run_is_followed_without_a_reload(shared_cluster: object, reader: Reader, tmp_path: Path):
    write_synthetic_pack(tmp_path / "pack.arrow")
    (tmp_path / "space.yaml").write_text(SPACE)
    storage = tmp_path / "runs"
    where = ("--space", tmp_path / "space.yaml", "--storage", storage, "--name", "live", *ONE_PROCESS)
    tune = command("tune", tmp_path / "pack.arrow", *where)
    tune.wait_for(storage, "results/trials/*/*/*.parquet")
    server, reader.address = serve(storage)
    reader.open()
    wait_until(lambda: reader.text("#list").startswith("lip_dryness\tlive\trunning\t"), SECONDS)
    open_first(reader)
    wait_until(lambda: number(reader, "epochs_run") > 0 and points(reader) > 0, SECONDS)
    reader.run("window.unbroken = true")
    epochs, drawn = number(reader, "epochs_run"), points(reader)
    wait_until(lambda: number(reader, "epochs_run") > epochs and points(reader) > drawn, SECONDS)
    assert number(reader, "running_now") == 1
    tune.check_runs()
    wait_until(lambda: reader.text("#state") == "all trials are over", SECONDS)
    assert reader.text("#trials_over").startswith("2 / 2")
    assert number(reader, "epochs_run") == 16
    assert reader.run("return [...document.querySelectorAll('#list tr td:first-child')].length") == 2
    assert reader.run("return window.unbroken") is True
    assert tune.ended()[0] == 0
    reader.assert_silent()
    end(server)


def test_both_languages_dark_and_narrow_screens_and_names_that_are_markup(reader: Reader, tmp_path: Path):
    write_trials(tmp_path, "neck", "exp", trials=30, predictions=False)
    writer = ExperimentWriter(tmp_path, "neck", "exp")
    writer.update_trial(EVIL, status="running", epochs=1, error=EVIL, val_balanced_acc=0.5)
    writer.add_epoch(EVIL, {"epoch": 1, "val_balanced_acc": 0.5})
    writer.flush()
    server, reader.address = serve(tmp_path)
    reader.open(390, scheme="dark")
    open_first(reader)
    wait_until(lambda: points(reader) > 0, SECONDS)
    assert reader.run("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert reader.run("return document.documentElement.scrollWidth") <= 390
    assert EVIL in reader.text("#running_now")
    assert EVIL in reader.text("#list")
    reader.click("[data-language=ko]")
    assert "실행 중" in reader.text("#state")
    assert "Balanced accuracy" not in reader.text("body")
    titles = "return [...document.querySelectorAll('#curves .xtitle')].map((title) => title.textContent)"
    wait_until(lambda: reader.run(titles) == ["에폭"], SECONDS)
    rows = "return document.querySelectorAll('#list tr').length"
    assert reader.run(rows) == 20
    reader.click("#all")
    assert reader.run(rows) == 31
    reader.assert_silent()
    writer.close()
    end(server)
    wait_until(lambda: "연결할 수 없습니다" in reader.text("#trouble"), SECONDS)
