"""What others wrote reaches terminals, error lines and spreadsheets as text alone."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_tune.text.escaping import error_line, escaped, has_control, shown, spreadsheet_cell


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\x9b2J\x07\x7f", r"\x9b2J\x07\x7f"),
        ("a\u202eb\u2028", r"a\u202eb\u2028"),
        ("\udcff.jpg", r"\udcff.jpg"),
        ("주름 2 [red] C:\\x", "주름 2 [red] C:\\x"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text: str, seen: str):
    assert escaped(text) == seen
    assert has_control(text) == (text != seen)


@given(st.text())
def test_nothing_is_left_to_obey_and_nothing_else_is_touched(text: str):
    assert not has_control(escaped(text))
    assert escaped(text) == text or has_control(text)


def test_an_endless_error_keeps_its_beginning_and_its_end():
    assert error_line("short") == "short"
    line = error_line("error: 'x" + "y\n" * 10**6 + "'; give another")
    assert len(line) == 500
    assert line.startswith("error: 'xy")
    assert line.endswith("'; give another")
    assert "\n" not in line


def test_a_value_of_any_kind_and_size_is_shown_shortly():
    deep: object = "x"
    for _ in range(50):
        deep = [deep] * 50
    for value in ("x" * 10**6, 10**5000, [10**5000] * 9, deep, {"a": deep}, object(), b"x" * 10**6):
        assert len(shown(value)) <= 103
    assert [shown(each) for each in (True, None, 1.5, "a\x1b", [1, "2"])] == [
        "True",
        "None",
        "1.5",
        r"'a\x1b'",
        "[1, '2']",
    ]


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "+cmd", "-cmd", "\tx", "\rx", "\n=1", " =1", "-", "=", "-1.5x", "'=1"]
)
def test_a_text_that_a_spreadsheet_would_run_is_a_text_to_it(text: str):
    assert spreadsheet_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["-1.5", "+3", "1e-5", "-.5", "-2.", "grade 2", "", "a=1", "'s", -1.5, None, True, float("nan")]
)
def test_numbers_and_plain_texts_stay(value: object):
    assert spreadsheet_cell(value) is value


def as_written(cell: str) -> str:
    """What a reader who knows of the quote makes of a cell."""
    return cell[1:] if cell.startswith("'") and spreadsheet_cell(cell) != cell else cell


@given(st.text(st.sampled_from("='+-@\t\r\n 1.a,\"")) | st.text())
def test_a_file_is_read_back_as_it_was_meant(text: str):
    file = io.StringIO()
    csv.writer(file).writerow([spreadsheet_cell(text), "end"])
    cell, end = next(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert end == "end"
    assert as_written(cell) == text
