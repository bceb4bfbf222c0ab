"""Files as users keep them: which are found, which may be opened, whom their names tell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from skin_tune.data.sources.files import SubjectRule, files_under, inside, leaves_roots
from skin_tune.data.sources.manifest import as_box
from skin_tune.errors import SourceError

Folders = Callable[..., Path]


# Boxes and paths


@pytest.mark.parametrize(
    "edges",
    [
        None,
        [],
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        ["1", "2", "3", "4"],
        [1, 2, 3, None],
        [1, 2, 3, True],
        [float("nan"), 2, 3, 4],
        [1, 2, float("inf"), 4],
        [1, 2, 3, 10**400],
        {"left": 1},
        "1234",
    ],
)
def test_only_four_finite_numbers_are_a_box(edges: object) -> None:
    assert as_box(edges) is None


def test_a_box_may_be_fractional_and_leave_the_photo() -> None:
    assert as_box([-3, 0.5, 10, 20]) == (-3.0, 0.5, 10.0, 20.0)


@pytest.mark.parametrize("path", ["../x.jpg", "a/../../x.jpg", "/etc/passwd", "a\0b.jpg"])
def test_a_path_that_leaves_its_root_is_refused(tmp_path: Path, path: str) -> None:
    assert inside(tmp_path, path) is None


def test_a_path_that_comes_back_into_its_root_is_kept(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/../b.jpg") == tmp_path.resolve() / "b.jpg"


def test_files_are_listed_by_name_and_hidden_ones_are_told(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a/x.png", ".DS_Store", "a/._x.png", ".git/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    told: list[tuple[str, str]] = []
    found = list(files_under(tmp_path, on_left_out=lambda path, reason: told.append((path.name, reason))))
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a/x.png", "b/10.png", "b/2.png"]
    assert sorted(told) == [(".DS_Store", "hidden"), ("._x.png", "hidden"), (".git", "hidden")]


def test_linked_folders_are_entered_wherever_they_lead(tmp_path: Path) -> None:
    for name in ("root/own/a.png", "elsewhere/b.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "elsewhere")
    found = files_under(tmp_path / "root")
    assert [str(path.relative_to(tmp_path / "root")) for path in found] == ["linked/b.png", "own/a.png"]


def test_a_link_to_a_folder_above_is_told_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x.png").touch()
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    told: list[str] = []
    found = list(files_under(tmp_path, on_left_out=lambda path, reason: told.append(f"{path.name}: {reason}")))
    assert [path.name for path in found] == ["x.png"]
    assert told == ["up: link to a folder that is read already"]


def test_links_that_fan_out_end(tmp_path: Path) -> None:
    for level in range(30):  # read without a bound these are 2**30 files
        (tmp_path / f"{level}").mkdir()
        for side in "ab":
            (tmp_path / f"{level}" / side).symlink_to(tmp_path / f"{level + 1}")
    (tmp_path / "30").mkdir()
    (tmp_path / "30" / "x.png").touch()
    assert 0 < len(list(files_under(tmp_path / "0"))) <= 32


def test_a_file_may_link_into_its_own_folder_and_into_the_roots(tmp_path: Path) -> None:
    for name in ("root/a.png", "elsewhere/b.png", "other/c.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    for name, target in (("own", "root/a.png"), ("allowed", "elsewhere/b.png"), ("out", "other/c.png")):
        (tmp_path / "root" / name).symlink_to(tmp_path / target)
    allowed = [tmp_path / "root", tmp_path / "elsewhere"]
    assert [leaves_roots(tmp_path / "root" / name, allowed) for name in ("a.png", "own", "allowed", "out")] == [
        *(False, False, False),
        True,
    ]


# Subjects


@pytest.mark.parametrize(
    ("pattern", "path", "subject"),
    [
        (None, "3/0017_01_R15_01.jpg", "0017"),
        (None, "3/0017_02_F.jpg", "0017"),
        (None, "3/IMG_2041.jpg", None),
        (r"^([^_]+)_", "lesion7_a.jpg", "lesion7"),
        (r"P\d+", "0/P12-left.jpg", "P12"),
        (r"(?P<a>P\d+)-(left|right)", "0/P12-left.jpg", "P12"),
        (r"P(\d+)?", "0/P.jpg", None),
        (r"P(\d*)", "0/P.jpg", None),
        (r"Q", "0/P12.jpg", None),
    ],
)
def test_the_subject_is_the_first_group_or_the_whole_match(pattern: str | None, path: str, subject: str | None) -> None:
    assert SubjectRule.parse(pattern).subject(path) == subject


def test_an_invalid_subject_pattern_is_refused_with_its_text() -> None:
    with pytest.raises(SourceError, match=r"--subject-pattern '\(\[' is not a regular expression"):
        SubjectRule.parse("([")
