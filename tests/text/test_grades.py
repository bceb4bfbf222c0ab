import math

import pytest

from skin_tune.text.grades import grade_values, number_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("10", 10),
        ("007", 7),
        ("-1", -1),
        ("+2", 2),
        ("1.5", 1.5),
        ("1.0", 1),
        (" 3 ", 3),
        ("2e-1", 0.2),
        ("\uff11\uff10", 10),
    ],
)
def test_a_number_is_a_sign_digits_a_fraction_and_an_exponent(text, number):
    assert number_of(text) == number


@pytest.mark.parametrize(
    "text",
    ["", " ", "0_1", "nan", "inf", "-Infinity", "1e999", "0x10", "1,5", ".5", "1.", "1 2", "--1", "½", "三", "²"],
)
def test_other_text_is_a_name(text):
    assert number_of(text) is None


def test_grades_have_values_where_every_class_is_a_number():
    assert grade_values(["1", "1.5", "2"]) == [1, 1.5, 2]
    assert grade_values(["12", "34", "56"]) == [12, 34, 56]
    assert grade_values(["0", "1", "severe"]) is None
    assert all(math.isfinite(value) for value in grade_values(["-1e300", "1e300"]))
