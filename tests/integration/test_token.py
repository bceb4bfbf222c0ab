"""A cluster that asks for a token, as `ray start --head` makes it once there is one in the home."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from skin_tune.results import load_trials
from tests.cli_runner import assert_one_line_error, skin_tune
from tests.conftest import PackMaker

RAY = Path(sys.executable).parent / "ray"
SPACE = """
method: random
parameters:
  learning_rate: {min: 1.0e-4, max: 1.0e-3}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 16}
  batch_size: {value: 16}
  epochs: {value: 1}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    token = folder / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text(secrets.token_hex(32))
    return folder


def without_settings(home: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing of Ray's, in a home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    return {**kept, "HOME": str(home), "WANDB_MODE": "disabled"}


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """That of a head started plainly; its processes end with the test, one by one."""
    before = {process.pid for process in psutil.process_iter()}
    started = subprocess.run(
        [
            RAY,
            "start",
            "--head",
            "--num-cpus=1",
            "--port=0",
            "--include-dashboard=false",
            "--object-store-memory=100000000",
        ],
        env=without_settings(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    current = Path(os.environ["RAY_TMPDIR"]) / "ray" / "ray_current_cluster"
    assert started.returncode == 0, started.stderr
    found = current.read_text()
    current.unlink()  # other tests do not join it
    yield found
    for process in psutil.process_iter():
        if process.pid not in before and belongs_here(process):
            process.kill()


def belongs_here(process: psutil.Process) -> bool:
    try:
        return process.environ().get("RAY_TMPDIR") == os.environ["RAY_TMPDIR"] and process.ppid() == 1
    except psutil.Error:
        return False


def test_who_has_the_token_joins_without_a_setting(address: str, home: Path, make_pack: PackMaker, tmp_path: Path):
    (tmp_path / "space.yaml").write_text(SPACE)
    where = ("--space", tmp_path / "space.yaml", "--storage", tmp_path / "runs", "--name", "exp", "--trials", 1)
    done = skin_tune("tune", make_pack().path, *where, env={**without_settings(home), "RAY_ADDRESS": address})
    assert done.returncode == 0, done.stderr
    assert load_trials(tmp_path / "runs")["status"].tolist() == ["completed"]


def test_who_has_another_or_none_is_told_where_it_lies(address: str, make_pack: PackMaker, tmp_path: Path):
    (tmp_path / "space.yaml").write_text(SPACE)
    where = ("--space", tmp_path / "space.yaml", "--storage", tmp_path / "runs", "--name", "exp", "--trials", 1)
    for token in (None, "another"):
        home = tmp_path / f"home-{token}"
        (home / ".ray").mkdir(parents=True)
        if token:
            (home / ".ray" / "auth_token").write_text(secrets.token_hex(32))
        done = skin_tune("tune", make_pack().path, *where, env={**without_settings(home), "RAY_ADDRESS": address})
        assert_one_line_error(done, address, "token", "~/.ray/auth_token")
    assert not (tmp_path / "runs").exists()
