"""Who is one person."""

import pytest

from skin_tune.data.sources.people import joined_people, letter_case_pairs, one_spelling, shared_pictures


@pytest.mark.parametrize(
    ("subjects", "spelling"),
    [
        (["7", "7.0", "007"], {"7": "7", "7.0": "7", "007": "7"}),
        (["01", "02", "10"], {}),
        (["0001", "1", "0002"], {"0001": "1", "1": "1"}),
        (["7", "7.0", "kim"], {}),
        (["1e2", "100"], {}),
        (["20231234567890123", "20231234567890124"], {}),
        (["0.5", "0.50"], {"0.5": "0.5", "0.50": "0.5"}),
        (["100", "100.0"], {"100": "100", "100.0": "100"}),
        ([], {}),
    ],
)
def test_numbers_written_in_several_ways_are_one_person(subjects: list[str], spelling: dict[str, str]) -> None:
    assert one_spelling(subjects) == spelling


def test_names_that_differ_in_letter_case_alone_are_told() -> None:
    assert letter_case_pairs(["P1", "p1", "P2", "kim"]) == [("P1", "p1")]


def test_a_picture_is_shared_where_several_people_have_it() -> None:
    assert shared_pictures([b"a", b"a", b"b", None, None, b"a"], ["kim", "lee", "kim", "kim", "lee", "kim"]) == {
        b"a": {"kim", "lee"}
    }


def test_people_joined_by_a_chain_of_pictures_are_one_with_the_first_name() -> None:
    person = joined_people([{"d", "c"}, {"b", "c"}, {"y", "z"}])
    assert person == {"b": "b", "c": "b", "d": "b", "y": "y", "z": "y"}


def test_a_person_without_a_name_takes_the_other_s() -> None:
    assert joined_people([{"0/a.png", "kim"}], {"0/a.png"}) == {"0/a.png": "kim", "kim": "kim"}
