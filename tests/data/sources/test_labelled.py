"""Grades in words become classes: each as it was meant, or refused in one line."""

from tests.data.lab import Lab, label_of


def test_half_grades_are_classes_in_their_order(lab: Lab) -> None:
    pack, _ = lab.packed(lab.graded(["3.0", "1.0", "2.5", "1.5", "2.0"]))
    assert pack.classes == ["1", "1.5", "2", "2.5", "3"]
    assert label_of(pack)["2-0.png"] == "2.5"


def test_codes_with_gaps_are_classes(lab: Lab) -> None:
    pack, _ = lab.packed(lab.graded(["56", "12", "34"]))
    assert pack.classes == ["12", "34", "56"]


def test_names_stand_in_the_order_that_is_given(lab: Lab) -> None:
    file = lab.graded(["mild", "none", "severe", "moderate", "unclear"])
    pack, printed = lab.packed(file, "--classes", "none,mild,moderate,severe")
    assert pack.classes == ["none", "mild", "moderate", "severe"]
    assert pack.info.ordinal
    assert lab.quarantine == {f"4-{i}.png": "class left out" for i in range(3)}
    assert "3 class left out" in printed
    assert "alphabet" not in printed


def test_an_order_that_nobody_gave_is_told_and_none_is_needed_for_diagnoses(lab: Lab) -> None:
    file = lab.graded(["없음", "심함", "약함"])
    _, printed = lab.packed(file)
    assert "warning: the order of the classes is that of the alphabet: 심함, 약함, 없음" in printed
    pack, printed = lab.packed(file, "--nominal")
    assert not pack.info.ordinal
    assert "alphabet" not in printed
    assert "class list: 심함, 약함, 없음 (nominal)" in lab.inspected(pack)


def test_missing_grades_are_quarantined_and_a_number_with_an_underscore_is_a_name(lab: Lab) -> None:
    rows = [
        (f"{n}.png", grade, n) for n, grade in enumerate(["0"] * 4 + ["0_1"] * 4 + ["nan", "NaN", "NA", "None", ""])
    ]
    pack, _ = lab.packed(lab.table("path,label,subject", rows))
    assert pack.classes == ["0", "0_1"]
    assert lab.quarantine == {f"{n}.png": "missing grade" for n in range(8, 13)}
