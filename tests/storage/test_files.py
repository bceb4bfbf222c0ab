"""Where storages, packs and caches may be."""

from pathlib import Path

import pytest

from skin_tune.errors import EnvironmentVariableError, StoreError
from skin_tune.storage.files import atomic_write, cache_folder
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker


def test_the_cache_is_in_a_home_that_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SKIN_TUNE_CACHE", "~nobody-of-that-name/cache")
    with pytest.raises(EnvironmentVariableError, match="SKIN_TUNE_CACHE='~nobody-of-that-name/cache'"):
        cache_folder()
    monkeypatch.setenv("SKIN_TUNE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


@pytest.mark.parametrize("variable", ["SKIN_TUNE_STORAGE", "SKIN_TUNE_PACKS"])
@pytest.mark.parametrize("value", ["ftp://lab/runs", "s3://", "/dev/null", "n" * 300])
def test_storages_and_folders_of_packs_are_places(
    variable: str, value: str, make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pack = make_pack().path
    (tmp_path / "t.csv").write_text("path,label\na.png,0\nb.png,1\n")
    monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    words = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=8", "epochs=1")
    command = ("train", pack, *words) if "STORAGE" in variable else ("prepare", "t.csv", "--region", "acne")
    assert_one_line_error(skin_tune_here(*command))


@pytest.mark.parametrize("when", ["before", "while it is written"])
def test_a_file_within_a_folder_does_not_make_that_anew(when: str, tmp_path: Path):
    storage, moved = tmp_path / "runs", tmp_path / "moved"
    file = storage / "experiments" / "exp" / "last.pt"
    storage.mkdir()
    with atomic_write(file, within=storage) as temporary:
        temporary.write_text("1")
    assert file.read_text() == "1"

    def write_again() -> None:
        with atomic_write(file, storage) as temporary:
            temporary.write_text("2")
            storage.rename(moved)

    if when == "before":
        storage.rename(moved)
    with pytest.raises(StoreError, match="runs' was removed while a run wrote to it"):
        write_again()
    assert not storage.exists()
    assert (moved / "experiments" / "exp" / "last.pt").read_text() == "1"
