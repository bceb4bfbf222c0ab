"""Tables at the width of a terminal: columns are left out as a whole, and what a reader copies is never cut."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from skin_tune.show.console import PlainConsole
from skin_tune.show.tables import Column, print_columns
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.results.report.report_store import write_trials

LONG = "forehead_wrinkle-20261127-173012"
WIDTHS = (60, 80, 100, 200)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    write_trials(folder, "forehead_wrinkle", LONG, trials=4)
    return folder


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """As wide as `skin_tune_here` is told the terminal is."""
    monkeypatch.setattr("tests.cli_runner.COLUMNS", str(request.param))
    return request.param


def table_of(output: str) -> list[str]:
    """The lines of the first table."""
    lines = output.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(" "))
    end = next((number for number, line in enumerate(lines) if number > start and line[:1] != " "), len(lines))
    return [line.rstrip() for line in lines[start:end]]


def test_every_trial_can_be_copied_at_any_width(storage: Path, width: int):
    done = skin_tune_here("trials", "--storage", storage)
    table = table_of(done.stdout)
    assert "…" not in done.stdout
    assert all(len(line) <= max(width, 59) for line in table)
    for number in range(4):
        assert any(f" {LONG}-{number:03d} " in f"{line} " for line in table)
    assert "balanced acc" in table[0]
    if "experiment" not in table[0]:
        assert f"experiment of all: {LONG}" in done.stdout
        assert "no room for" in done.stdout


def test_what_differs_between_rows_stays(tmp_path: Path, width: int):
    write_trials(tmp_path, "forehead_wrinkle", "one", trials=2)
    write_trials(tmp_path, "lip_dryness", "one", trials=2)
    table = table_of(skin_tune_here("trials", "--storage", tmp_path).stdout)
    assert "region" in table[0]
    assert sum("lip_dryness" in line for line in table) == 2


def test_what_is_sorted_by_is_shown(storage: Path, width: int):
    done = skin_tune_here("trials", "--storage", storage, "--sort", "val_qwk")
    assert "QWK" in table_of(done.stdout)[0]


@pytest.mark.parametrize("command", [("compare",), ("compare", "--baseline", f"{LONG}-001")], ids=" ".join)
def test_a_comparison_is_not_cut(storage: Path, width: int, command: tuple[str, ...]):
    done = skin_tune_here(*command, "--storage", storage)
    table = table_of(done.stdout)
    assert "…" not in done.stdout
    assert all(f" {LONG}-{number:03d} " in "\n".join(table) for number in range(4))
    assert all(len(line) <= max(width, 60) for line in table)


def test_a_pack_is_shown_whole_at_any_width(tmp_path: Path, width: int):
    pack = write_synthetic_pack(tmp_path / "pack.arrow", classes=("none", "mild to moderate", "severe"))
    done = skin_tune_here("inspect", pack.path)
    assert "…" not in done.stdout
    assert all(len(line.rstrip()) <= width for line in done.stdout.splitlines() if line.startswith(" "))
    (row,) = (line.split() for line in table_of(done.stdout) if "mild to moderate" in line)
    assert row[3] == "12"


def test_columns_are_chosen_by_their_headings_or_the_stores_names(storage: Path):
    asked = "rank,Trial, macro f1,MAE,config/epochs,learning_rate,hardware"
    done = skin_tune_here("trials", "--storage", storage, "--columns", asked, "--limit", 2)
    heading, *rows = table_of(done.stdout)
    assert heading.split() == [
        "rank",
        "trial",
        "macro",
        "F1",
        "MAE",
        "(steps)",
        "config/epochs",
        "learning_rate",
        "hardware",
    ]
    assert len(rows) == 2
    assert all(f"{LONG}-" in row and row.endswith("a GPU") for row in rows)


def test_programs_get_the_chosen_columns_by_the_stores_names(storage: Path):
    common = ("trials", "--storage", storage, "--columns", "rank,trial,balanced acc")
    frame = pd.read_csv(io.StringIO(skin_tune_here(*common, "--format", "csv").stdout))
    assert list(frame) == ["rank", "trial_id", "val_balanced_acc"]
    assert frame["rank"].tolist() == [1, 2, 3, 4]
    assert list(json.loads(skin_tune_here(*common, "--format", "json").stdout)[0]) == list(frame)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_column_that_there_is_not_is_named_with_those_there_are(storage: Path, form: str):
    done = skin_tune_here("trials", "--storage", storage, "--columns", "trial,statsu", "--format", form)
    assert_one_line_error(done, "'statsu'", "did you mean status?", "rank, trial_id", "learning_rate", "config/epochs")


def test_the_heading_of_a_hyper_parameter_is_a_name_that_finds_it(storage: Path):
    found = skin_tune_here("trials", "--storage", storage, "--columns", "train_loss,config/train_loss").stdout
    assert table_of(found)[0].split() == ["train_loss", "config/train_loss"]
    assert {row.split()[1] for row in table_of(found)[1:]} == {"cb", "ce", "focal"}


def test_columns_go_as_a_whole_and_those_that_stay_are_longer_than_the_line_if_need_be():
    columns = [Column("id", ["a" * 50]), Column("one", ["1"], 1), Column("two", ["2"], 2), Column("also", ["3"], 2)]
    for width, left in ((80, []), (64, ["two", "also"]), (55, ["one", "two", "also"]), (20, ["one", "two", "also"])):
        out = io.StringIO()
        leave_one_out_sums = print_columns(Console(file=out, width=width), columns)
        assert [column.heading for column in leave_one_out_sums] == left
        assert "a" * 50 in out.getvalue()


def test_a_heading_may_have_two_lines_of_ours_and_no_command_of_anybody():
    out = io.StringIO()
    console = PlainConsole(file=out, width=60, markup=False)
    print_columns(console, [Column("train\nimages", ["3"]), Column("\x1b[31mred", ["4"])])
    assert [line.split() for line in out.getvalue().splitlines()] == [["train"], ["images", "\\x1b[31mred"], ["3", "4"]]
