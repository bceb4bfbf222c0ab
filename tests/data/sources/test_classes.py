"""What a written grade is called, and in which order grades stand."""

import pytest

from skin_tune.data.sources.classes import class_name, guessed_order, is_missing, ordered_classes, parse_classes
from skin_tune.errors import SourceError


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["10", "2", "0", "1"], ["0", "1", "2", "10"]),
        (["00", "01", "02"], ["0", "1", "2"]),
        (["1.0", "1.5", "2.0", "2.5", "3.0"], ["1", "1.5", "2", "2.5", "3"]),
        (["2.50", "2.5", "+1", "1e1"], ["1", "2.5", "10"]),
        (["56", "12", "34"], ["12", "34", "56"]),
        (["4", "0", "2"], ["0", "2", "4"]),
        (["-1", "0", "1"], ["0", "1"]),
        (["2023", "999"], ["999", "2023"]),
        (["grade 10", "grade 5", "Grade 1"], ["Grade 1", "grade 5", "grade 10"]),
        (["T2b", "T10a", "T2a"], ["T2a", "T2b", "T10a"]),
        (["nv", "akiec", "mel"], ["akiec", "mel", "nv"]),
        (["10", "2", "Er"], ["2", "10", "Er"]),
        (["0_1", "2", "1"], ["0_1", "1", "2"]),
        (["중간", "\u110b\u1163\u11a8\u1112\u1161\u11b7", "약함"], ["약함", "중간"]),
        ([], []),
    ],
)
def test_numbers_stand_as_numbers_and_names_in_natural_order(names: list[str], classes: list[str]) -> None:
    assert ordered_classes(names) == classes


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2", "2"),
        ("02", "2"),
        ("2.0", "2"),
        (" 2 ", "2"),
        ("-1", "-1"),
        ("1.50", "1.5"),
        ("0_1", "0_1"),
        ("inf", "inf"),
    ],
)
def test_a_grade_has_one_spelling(text: str, name: str) -> None:
    assert class_name(text) == name


@pytest.mark.parametrize("text", ["", "  ", "nan", "NaN", "NA", "N/A", "None", "null", "#N/A", "<NA>", " nan "])
def test_a_cell_without_a_value_is_missing(text: str) -> None:
    assert is_missing(text)


@pytest.mark.parametrize("text", ["0", "none", "nano", "no", "0.0", "-"])
def test_other_words_are_not_missing(text: str) -> None:
    assert not is_missing(text)


def test_the_order_of_classes_can_be_given() -> None:
    assert parse_classes("none, mild,moderate,severe") == ["none", "mild", "moderate", "severe"]
    assert parse_classes("없음,약함,중간,심함") == ["없음", "약함", "중간", "심함"]
    assert parse_classes("02,1.0,-1") == ["2", "1", "-1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("none", "is not a list of two names or more"),
        ("", "is not a list"),
        ("a,,b", "is not a list"),
        ("a,b,a", "names 'a' twice"),
        ("1,01,2", "names '1' twice"),
    ],
)
def test_a_list_of_classes_is_checked(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        parse_classes(text)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (["0", "1.5"], ""),
        (["grade 1", "grade 2"], ""),
        (["mild", "none"], "that of the alphabet: mild, none; give theirs with --classes"),
        (["0", "1", "Er"], "Er among grades that are numbers: a class of its own; --classes 0,1 leaves it out"),
    ],
)
def test_an_order_that_nobody_gave_is_told(classes: list[str], said: str) -> None:
    assert said in guessed_order(classes)
    assert bool(guessed_order(classes)) == bool(said)
