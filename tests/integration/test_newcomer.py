"""From nothing to a ranked table, as a newcomer and as a lab would do it."""

from pathlib import Path

import pytest

from skin_tune.data.pack.format import open_pack
from skin_tune.regions import CATALOGUE
from skin_tune.results import load_trials
from tests.cli_runner import ONE_PROCESS, ROOT, assert_one_line_error, run_job, run_job_here, skin_tune_here

QUICK = ("image_size=32", "epochs=1", "batch_size=16", "oversample=none")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("newcomer") / "sample"
    done = skin_tune_here("sample", folder, "--subjects", 21)
    assert done.returncode == 0, done.stderr
    return folder


def test_all_regions_of_the_sample_are_prepared_and_inspected(sample: Path, tmp_path: Path):
    done = skin_tune_here("prepare", sample, "--region", "all", "--size", 32, "--out", tmp_path / "packs")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("no subject is in two splits") == 8
    packs = sorted(path.name for path in (tmp_path / "packs").glob("*.arrow"))
    assert len(packs) == 8
    shown = skin_tune_here("inspect", tmp_path / "packs" / "forehead_wrinkle-32.arrow").stdout
    assert "class list: 0, 1, 2, 3, 4, 5, 6" in shown
    assert "oversampling plan" in shown


def test_a_job_prepares_then_tunes_from_any_folder_and_reuses_the_pack(sample: Path, tmp_path: Path):
    common = (*QUICK, *ONE_PROCESS, "--size", 32, "--trials", 2, "--space", "search_spaces/sample.yaml")
    first = run_job("tune_region", "lip_dryness", *common, "--data", sample, "--name", "one", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "no subject is in two splits" in first.stdout
    pack = tmp_path / "packs" / "lip_dryness-32.arrow"
    written = pack.stat().st_mtime_ns
    assert load_trials(tmp_path / "runs", "lip_dryness", "one")["status"].tolist() == ["completed", "completed"]

    missing = run_job_here("tune_region", "chin_sagging", *QUICK, "--size", 32, cwd=tmp_path)
    assert_one_line_error(missing, "chin_sagging-32.arrow", "--data")
    taken = run_job_here("tune_region", "lip_dryness", *common, "--name", "one", cwd=tmp_path)
    assert_one_line_error(taken, "'one'", "already exists")
    assert pack.stat().st_mtime_ns == written


@pytest.mark.usefixtures("shared_cluster")
def test_all_regions_share_one_run_and_one_that_cannot_run_does_not_stop_the_others(sample: Path, tmp_path: Path):
    regions = ("lip_dryness", "chin_sagging", "cheek_pore")
    prepared = skin_tune_here(
        "prepare", sample, "--region", ",".join(regions), "--size", 32, "--out", tmp_path / "packs"
    )
    assert prepared.returncode == 0, prepared.stderr
    images = {name: len(open_pack(tmp_path / "packs" / f"{name}-32.arrow").indices("train")) for name in regions}
    smallest = min(images, key=images.__getitem__)
    rest = [name for name in regions if name != smallest]
    common = ("image_size=32", "epochs=1", f"batch_size={images[smallest] + 1}", "oversample=none", "--size", 32)
    space = ("--space", ROOT / "search_spaces" / "sample.yaml", "--trials", 2, "--name", "all", "--learn", *ONE_PROCESS)

    (tmp_path / "packs" / "broken-32.arrow").write_text("cut off")
    never = run_job_here("tune_all", *common, *space, "--resume", cwd=tmp_path)
    assert_one_line_error(never, "no region has an experiment 'all' to --resume")

    done = run_job_here("tune_all", *common, *space, cwd=tmp_path)
    assert done.returncode == 1
    failed = ", ".join([smallest, "broken"])
    assert done.stderr.strip().splitlines()[-1] == f"error: 2 of 4 regions failed: {failed}"
    assert "broken: 'packs/broken-32.arrow' is not a pack" in done.stdout.replace(f"{tmp_path}/", "")
    assert f"{smallest}: batch_size={images[smallest] + 1} is larger than the training set" in done.stdout
    trials = load_trials(tmp_path / "runs")
    assert trials.groupby("region")["status"].apply(list).to_dict() == dict.fromkeys(rest, ["completed"] * 2)
    ended = trials.groupby("region")["ended_at"]
    earlier, later = sorted(rest, key=list(CATALOGUE).index)
    assert ended.min()[earlier] < ended.max()[later]
    second = trials[trials["region"] == later].iloc[1]  # the first has the defaults
    others = trials[trials["region"] == earlier].iloc[1:]["config/learning_rate"]
    assert others.sub(second["config/learning_rate"]).abs().min() < 1e-9  # what was tried in the region before it

    again = run_job_here("tune_all", *common, *space, "--resume", cwd=tmp_path)
    assert again.returncode == 1
    assert len(load_trials(tmp_path / "runs")) == 4


def test_the_default_space_is_found_from_anywhere_and_says_how_to_get_weights(sample: Path, tmp_path: Path):
    done = run_job_here(
        "tune_region",
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
