"""What `tune` was asked for, as far as no pack is needed to judge it."""

import pytest

from skin_tune.errors import ExperimentError
from skin_tune.tuning.experiment.request import parse_duration


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("45s", 45), ("30m", 1800), ("2h", 7200), ("1h30m", 5400)])
def test_time_budgets_are_read(text: str, seconds: float):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "2d", "h", "-5m", "1.5h", "m30"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ExperimentError, match="is not a duration"):
        parse_duration(text)
