"""From nothing to a ranked table, as a newcomer and as a lab would do it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skin_tune.results import load_trials
from tests.cli_runner import ROOT, assert_one_line_error, skin_tune

QUICK = ("image_size=32", "epochs=1", "batch_size=16", "oversample=none")


def run_job(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "tune_region.py"), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("newcomer") / "sample"
    done = skin_tune("sample", folder, "--subjects", 21)
    assert done.returncode == 0, done.stderr
    return folder


def test_all_regions_of_the_sample_are_prepared_and_inspected(sample: Path, tmp_path: Path):
    done = skin_tune("prepare", sample, "--region", "all", "--size", 32, "--out", tmp_path / "packs")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("no subject is in two splits") == 8
    packs = sorted(path.name for path in (tmp_path / "packs").glob("*.arrow"))
    assert len(packs) == 8
    shown = skin_tune("inspect", tmp_path / "packs" / "forehead_wrinkle-32.arrow").stdout
    assert "class list: 0, 1, 2, 3, 4, 5, 6" in shown
    assert "oversampling plan" in shown


def test_a_job_prepares_then_tunes_from_any_folder_and_reuses_the_pack(sample: Path, tmp_path: Path):
    common = (*QUICK, "--size", 32, "--trials", 2, "--space", ROOT / "search_spaces" / "sample.yaml")
    first = run_job("lip_dryness", *common, "--data", sample, "--name", "one", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "no subject is in two splits" in first.stdout
    pack = tmp_path / "packs" / "lip_dryness-32.arrow"
    written = pack.stat().st_mtime_ns
    assert load_trials(tmp_path / "runs", "lip_dryness", "one")["status"].tolist() == ["completed", "completed"]

    missing = run_job("chin_sagging", *QUICK, "--size", 32, cwd=tmp_path)
    assert_one_line_error(missing, "chin_sagging-32.arrow", "--data")
    taken = run_job("lip_dryness", *common, "--name", "one", cwd=tmp_path)
    assert_one_line_error(taken, "'one'", "already exists")
    assert pack.stat().st_mtime_ns == written


def test_the_default_space_is_found_from_anywhere_and_says_how_to_get_weights(sample: Path, tmp_path: Path):
    done = run_job(
        "lip_dryness",
        "--size",
        32,
        "image_size=32",
        "batch_size=16",
        "weights=nowhere.pth",
        "--data",
        sample,
        cwd=tmp_path,
    )
    assert_one_line_error(done, "nowhere.pth", "neither 'imagenet' nor 'none' nor a file")
