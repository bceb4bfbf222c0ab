"""Who is one person."""

import shutil

import numpy as np
import pytest

from skin_tune.data.sources.people import joined_people, letter_case_pairs, one_spelling, shared_pictures
from tests.data.lab import Lab


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


def test_a_person_whose_number_is_written_in_two_ways_is_one(lab: Lab) -> None:
    first = lab.table("path,label,subject", [(f"a{n}.png", n % 2, n) for n in range(20)], "a/t.csv")
    second = lab.table("path,label,subject", [(f"b{n}.png", n % 2, f" {n:03d}.0 ") for n in range(20)], "b/t.csv")
    pack, printed = lab.packed(first, second)
    assert len(set(pack.subjects.tolist())) == 20
    assert "no subject is in two splits (20 subjects checked)" in printed


def test_names_that_differ_in_letter_case_are_told(lab: Lab) -> None:
    rows = [(f"{n}.png", n % 2, ("P1", "p1", "Kim", "kim", "lee", "Park")[n]) for n in range(6)]
    _, printed = lab.packed(lab.table("path,label,subject", rows))
    assert "'Kim' and 'kim' differ in letter case alone (and 1 more such pairs)" in printed


def test_the_same_picture_makes_two_people_one(lab: Lab) -> None:
    file = lab.graded(["0", "1"], each=8)
    shutil.copyfile(lab.folder / "0-0.png", lab.folder / "0-1.png")
    pack, printed = lab.packed(file)
    rows = np.isin(pack.sources, ["0-0.png", "0-1.png"])
    assert set(pack.subjects[rows].tolist()) == {"p0-0"}
    assert "2 subjects share pictures and were joined into 1: see acne-16.joined.csv" in printed
    assert (lab.folder / "packs" / "acne-16.joined.csv").read_text().splitlines() == [
        "person,subject,source",
        "p0-0,p0-0,0-0.png",
        "p0-0,p0-1,0-1.png",
    ]
