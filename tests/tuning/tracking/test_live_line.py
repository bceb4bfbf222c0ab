"""The line that tells what a command is doing, on a terminal and in a log."""

import io
import threading
import time
from collections.abc import Callable

import pytest

from skin_tune.tuning.tracking import live_line as module
from skin_tune.tuning.tracking.live_line import LiveLine, announce, doing, live_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def until(condition: Callable[[], object]) -> None:
    """Wait for some seconds until `condition()` is true."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def test_a_terminal_shows_at_once_what_is_done_and_for_how_long():
    stream = Terminal()
    line = LiveLine(stream)
    line.doing("starting Ray")
    assert stream.getvalue().endswith("starting Ray, 0s")
    until(lambda: "starting Ray, 1s" in stream.getvalue())
    assert "starting Ray, 1s" in stream.getvalue()
    assert "\n" not in stream.getvalue()
    line.close()
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_a_terminal_keeps_the_last_state_and_what_was_announced_above_it():
    stream = Terminal()
    line = LiveLine(stream)
    line.follow(lambda width: "3/3 trials done")
    line.say("a node was lost")
    line.close(leave=True)
    line.close(leave=True)
    line.doing("nothing any more")
    plain = stream.getvalue().replace("\x1b[2K", "")
    assert [part.rpartition("\r")[2] for part in plain.split("\n")] == ["a node was lost", "3/3 trials done", ""]


def test_a_log_gets_a_plain_line_now_and_then(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_LOG_SECONDS", 0.2)
    stream = io.StringIO()
    line = LiveLine(stream)
    line.doing("starting Ray")
    assert stream.getvalue() == ""
    until(lambda: stream.getvalue().count("\n") == 2)
    line.close(leave=True)
    assert set(stream.getvalue().splitlines()) <= {"starting Ray, 0s", "starting Ray, 1s"}


def test_what_is_over_soon_leaves_nothing_in_a_log():
    stream = io.StringIO()
    line = LiveLine(stream)
    line.doing("checking")
    line.close(leave=True)
    assert stream.getvalue() == ""


def test_a_line_is_never_longer_than_the_terminal_is_wide(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    line = LiveLine(stream)
    line.follow(lambda width: f"{width} columns, and then some more")
    line.close()
    assert stream.getvalue().split("\r\x1b[2K")[1] == "19 columns, and the"


def test_there_is_one_line_and_without_one_nothing_is_shown(capsys: pytest.CaptureFixture[str]):
    doing("nobody watches")
    announce("told")
    with live_line("outer") as outer, live_line("inner") as inner:
        assert outer is inner
        announce("told, too")
    assert capsys.readouterr().err == "told\ntold, too\n"


def test_an_error_ends_the_line():
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="wrong"), live_line("work"):
        raise ValueError("wrong")
    assert set(threading.enumerate()) <= before
