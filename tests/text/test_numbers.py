import math

import numpy as np
import pytest
import typer

from skin_tune.cli.main import app
from skin_tune.config import FIELDS, TrialConfig, parse_overrides
from skin_tune.data.pack.subject_split import parse_ratios
from skin_tune.errors import ConfigError, ExperimentError, SourceError
from skin_tune.text.numbers import number_from, whole_number_from
from skin_tune.tuning.experiment.request import parse_duration
from tests.cli_runner import assert_one_line_error, skin_tune_here

TEN = ["10", "1e1", "10.0", " 10 ", "+10", "1E+1", "\uff11\uff10", 10, 10.0, np.int64(10), np.float32(10)]


@pytest.mark.parametrize("given", TEN, ids=repr)
def test_ten_is_read_however_it_is_written(given: object):
    assert number_from(given) == 10
    found = whole_number_from(given)
    assert (found, type(found)) == (10, int)


SLIPS = ["1_0", "1_0.5", "1__0", "_10", "10_", "1_0e1", "1e1_0", "", "ten", "0x10", "1,0"]
NOT_FINITE = ["nan", "inf", "-Infinity", "9" * 5000, 10**400, math.nan, math.inf]


@pytest.mark.parametrize(
    "given", [*SLIPS, *NOT_FINITE, True, False, None, b"10", [10], {}], ids=lambda given: repr(given)[:12]
)
def test_what_is_no_plain_finite_number_is_refused(given: object):
    for read in (number_from, whole_number_from):
        with pytest.raises((ValueError, TypeError)):
            read(given)


@pytest.mark.parametrize("given", ["2.5", 2.5, "1e-3"])
def test_a_fraction_is_not_whole(given: object):
    with pytest.raises(ValueError, match="not whole"):
        whole_number_from(given)


def test_whole_numbers_keep_every_digit_where_a_float_would_round():
    beyond = 2**53 + 1
    assert whole_number_from(str(beyond)) == beyond
    assert parse_overrides([f"target_samples_per_class={beyond}"]) == {"target_samples_per_class": beyond}


@pytest.mark.parametrize("name", [name for name, kind in FIELDS.items() if kind in (int, float)])
def test_no_hyper_parameter_takes_an_underscore_in_a_number(name: str):
    value = TrialConfig().to_dict()[name]
    assert parse_overrides([f"{name}={value}"]) == {name: value}
    with pytest.raises(ConfigError, match=rf"^{name}='1_0' is not a (whole )?number, such as \d"):
        parse_overrides([f"{name}=1_0"])


def numeric_options() -> list[tuple[str, str]]:
    """Every numeric option of every command, as typer knows them."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return [
        (name, option.opts[0])
        for name, command in commands.items()
        for option in command.params
        if getattr(option.type_descriptor, "annotation", None) in (int, float)
    ]


def test_no_numeric_option_takes_an_underscore():
    options = numeric_options()
    assert {("tune", "--trials"), ("tune", "--gpu-hours"), ("sample", "--subjects"), ("compare", "--limit")} <= {
        *options
    }
    for command, option in options:
        done = skin_tune_here(command, option, "1_0")
        assert_one_line_error(done, f"'{option}': needs a", "number, such as", "not '1_0'")


def test_numeric_options_read_as_config_values_do():
    for text, said in (("nan", "needs a finite number, such as 0.5, not 'nan'"), ("1e1", "'none.arrow'")):
        assert_one_line_error(skin_tune_here("tune", "none.arrow", "--gpu-hours", text), said)
    assert_one_line_error(skin_tune_here("tune", "none.arrow", "--trials", "2.5"), "needs a whole number, such as 10")
    assert_one_line_error(skin_tune_here("tune", "none.arrow", "--trials", "1e1"), "'none.arrow'")
    assert_one_line_error(skin_tune_here("tune", "none.arrow", "--image-budget", "2e6"), "'none.arrow'")
    assert_one_line_error(skin_tune_here("compare", "--limit", "0"), "'--limit': needs at least 1, not '0'")


def test_durations_and_splits_take_no_underscore():
    assert parse_duration("10m") == 600
    with pytest.raises(ExperimentError, match="'1_0m' is not a duration such as"):
        parse_duration("1_0m")
    with pytest.raises(SourceError, match="'6_0/20/20' is not three whole percentages"):
        parse_ratios("6_0/20/20")
