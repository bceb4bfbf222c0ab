"""Whether a run holds an experiment, as somebody tells who only looks."""

import subprocess
import sys
from pathlib import Path

import pytest

from skin_tune.errors import StoreError
from skin_tune.results.store.lock import lock_experiment
from skin_tune.results.watch.holder import is_held
from skin_tune.storage.run_paths import RunPaths
from tests.conftest import Bucket

HOLD = """
import sys
from skin_tune.results.store.lock import lock_experiment
from skin_tune.storage.files import location
lock = lock_experiment(location(sys.argv[1]), "neck", "one")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_run_is_seen_until_it_ends_or_is_killed(tmp_path: Path):
    lock = RunPaths(tmp_path).lock("neck", "one")
    assert is_held(lock) is False
    run = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == b"held\n"
    assert is_held(lock) is True
    with pytest.raises(StoreError, match="is being run by"):  # looking has taken nothing from it
        lock_experiment(tmp_path, "neck", "one")
    run.kill()
    run.wait()
    assert is_held(lock) is False
    own = lock_experiment(tmp_path, "neck", "one")
    assert is_held(lock) is True
    own.release()
    assert is_held(lock) is False


@pytest.mark.parametrize("said", ["process 1 on another-machine since 2026-01-01 00:00:00.0\n", "", "nonsense"])
def test_of_other_machines_nothing_is_known(said: str, tmp_path: Path):
    (tmp_path / "lock").write_text(said)
    assert is_held(tmp_path / "lock") is None


def test_a_run_is_seen_in_a_bucket(bucket: Bucket):
    lock = RunPaths(bucket.path).lock("neck", "one")
    assert is_held(lock) is False
    run = lock_experiment(bucket.path, "neck", "one")
    assert is_held(lock) is True
    run.release()
    assert is_held(lock) is False
