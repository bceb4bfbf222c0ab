"""Files that appear together: all of them, or what was there before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_tune.storage.together import move_together
from tests.conftest import Bucket

Written = Callable[..., list[Path]]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(*names: str) -> list[Path]:
        folder = tmp_path / "out" / ".new"
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text(f"new {name}")
        return [folder / name for name in names]

    return write


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def failing_after(files: int, failure: BaseException, rename: Callable[..., Any]) -> Callable[..., Any]:
    """`rename`, which fails once after so many `files`."""
    calls: list[Path] = []

    def replace(self: Path, target: Path) -> Any:
        calls.append(self)
        if len(calls) == files + 1:
            raise failure
        return rename(self, target)

    return replace


def test_files_are_moved_and_what_is_obsolete_goes(tmp_path: Path, written: Written) -> None:
    files = written("a", "b")
    (tmp_path / "out" / "b").write_text("old b")
    (tmp_path / "out" / "c").write_text("old c")
    (tmp_path / "out" / "d").write_text("another's")
    move_together(files, tmp_path / "out", obsolete=["c", "e"])
    assert content(tmp_path / "out") == {"a": "new a", "b": "new b", "d": "another's"}


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_or_a_signal_between_them_leaves_what_was_there(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch, moved: int, failure: BaseException
) -> None:
    files = written("a", "b", "c", "d")
    old = {"b": "old b", "d": "old d", "gone": "old gone"}
    for name, text in old.items():
        (tmp_path / "out" / name).write_text(text)
    monkeypatch.setattr(Path, "replace", failing_after(moved, failure, Path.replace))
    with pytest.raises(type(failure)):
        move_together(files, tmp_path / "out", obsolete=["gone"])
    assert content(tmp_path / "out") == old


def test_a_link_in_the_place_of_a_file_is_put_back_as_a_link(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written("a", "b")
    (tmp_path / "elsewhere").write_text("old a")
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(Path, "replace", failing_after(1, OSError(5, "Input/output error"), Path.replace))
    with pytest.raises(OSError, match="Input/output"):
        move_together(files, tmp_path / "out")
    assert (tmp_path / "out" / "a").readlink() == tmp_path / "elsewhere"
    assert content(tmp_path / "out") == {"a": "old a"}


def test_where_something_cannot_come_back_what_it_may_need_stays(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written("a", "b", "c")
    (tmp_path / "out" / "b").write_text("old b")

    def no_links(*_: Any, **__: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", no_links)
    monkeypatch.setattr(Path, "replace", failing_after(2, OSError(5, "Input/output error"), Path.replace))
    with pytest.raises(OSError, match="Input/output"):
        move_together(files, tmp_path / "out")
    assert content(tmp_path / "out") == {"a": "new a", "b": "new b"}


def test_in_a_bucket_what_a_replaced_file_may_need_stays(bucket: Bucket, written: Written) -> None:
    files, folder = written("a", "b", "c"), bucket.path / "packs"
    (folder / "b").write_text("old b")
    files[2].unlink()
    with pytest.raises(FileNotFoundError):
        move_together(files, folder)
    assert [(folder / name).read_text() for name in "ab"] == ["new a", "new b"]


def test_in_a_bucket_a_failure_leaves_no_new_file(
    bucket: Bucket, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written("a", "b")
    folder = bucket.path / "packs"
    files[1].unlink()
    with pytest.raises(FileNotFoundError):
        move_together(files, folder)
    assert not (folder / "a").exists()
    files[1].write_text("new b")
    move_together(files, folder, obsolete=["c"])
    assert [(folder / name).read_text() for name in "ab"] == ["new a", "new b"]
