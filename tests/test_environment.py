"""Variables of the environment are checked as what is typed is."""

import os
from pathlib import Path

import pytest

from skin_tune.data.pack.format import open_pack
from skin_tune.errors import EnvironmentVariableError
from skin_tune.storage.files import cache_folder, location, upload
from skin_tune.tuning.backend.cluster import connect
from skin_tune.tuning.tracking.wandb_client import check_mode, run_id_given
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import Bucket, PackMaker


@pytest.mark.parametrize("value", ["abc", "nan", "-1", "1GB", "\x1b[31m"])
def test_the_size_of_the_cache_is_a_number(
    value: str, bucket: Bucket, make_pack: PackMaker, monkeypatch: pytest.MonkeyPatch
):
    there = location(f"{bucket.url}/pack.arrow")
    upload(make_pack().path, there)
    monkeypatch.setenv("SKIN_TUNE_CACHE_GB", value)
    with pytest.raises(EnvironmentVariableError, match=r"SKIN_TUNE_CACHE_GB=.* is not a number of gigabytes"):
        open_pack(there)
    assert_one_line_error(skin_tune_here("inspect", there), "SKIN_TUNE_CACHE_GB")
    for fine in ("0", "inf", "0.5", ""):
        monkeypatch.setenv("SKIN_TUNE_CACHE_GB", fine)
        assert len(open_pack(there).labels)


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


@pytest.mark.parametrize(("value", "fine"), [("offline", True), ("", True), ("dryrun", True), ("on line", False)])
def test_wandb_s_mode_is_one_it_has(value: str, fine: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", value)
    if fine:
        check_mode(None)
        return
    with pytest.raises(EnvironmentVariableError, match="WANDB_MODE='on line' is not one of online, offline, disabled"):
        check_mode(None)


@pytest.mark.parametrize("value", ["a/b", "x" * 129, "50%", " ", "\x1b[31m"])
def test_wandb_s_names_are_names(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_PROJECT", value)
    with pytest.raises(EnvironmentVariableError, match="WANDB_PROJECT"):
        check_mode(None)
    monkeypatch.setenv("WANDB_PROJECT", "skin")
    check_mode(None)
    monkeypatch.setenv("WANDB_RUN_ID", value)
    with pytest.raises(EnvironmentVariableError, match="WANDB_RUN_ID"):
        run_id_given()
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    assert run_id_given() == "abc123"


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:99999999", "127.0.0.1:x", ":"])
def test_a_cluster_s_address_is_one(
    address: str, monkeypatch: pytest.MonkeyPatch, make_pack: PackMaker, tmp_path: Path
):
    monkeypatch.setenv("RAY_ADDRESS", address)
    words = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=8", "epochs=1", "--trials", "1")
    done = skin_tune_here("tune", make_pack().path, *words, "--storage", tmp_path / "runs")
    assert_one_line_error(done, f"RAY_ADDRESS={address!r}")


def test_ray_s_own_settings_are_numbers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "many")
    with pytest.raises(EnvironmentVariableError, match="TUNE_MAX_PENDING_TRIALS_PG='many' is not a whole number"):
        connect()
    assert os.environ["TUNE_MAX_PENDING_TRIALS_PG"] == "many"
