"""Numbers in words."""

import pytest

from skin_tune.text.wording import counted, duration


@pytest.mark.parametrize(("seconds", "text"), [(4.6, "5s"), (200, "3m20s"), (7500, "2h05m")])
def test_durations_read_well(seconds: float, text: str):
    assert duration(seconds) == text


def test_one_is_singular():
    assert [counted(count, "trial") for count in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]
