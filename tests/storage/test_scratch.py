"""What runs that were killed leave behind is removed by the next one, and nothing else is."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from skin_tune.errors import StoreError
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import remove_abandoned_writes
from skin_tune.storage.run_paths import RunPaths
from skin_tune.storage.scratch import ScratchFolder, remove_abandoned
from tests.conftest import PackMaker
from tests.local import local

HOLDER = """
import sys, time
from pathlib import Path
from skin_tune.storage.scratch import ScratchFolder
folder = ScratchFolder("ray", Path(sys.argv[1]))
(folder.path / "notes").write_text("x")
print(folder.path, flush=True)
time.sleep(600)
"""


def holder(beside: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(beside)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_only_folders_of_processes_that_died_are_removed(tmp_path: Path):
    foreign = tmp_path / "skin-tune-notes"
    foreign.mkdir()
    alive, kept = holder(tmp_path)
    killed, left = holder(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert left.is_dir()
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([foreign, kept])
    alive.kill()
    alive.wait()


def test_a_scratch_folder_ends_with_its_block_and_with_its_object(tmp_path: Path):
    with ScratchFolder(beside=tmp_path) as folder:
        (folder / "file").touch()
        remove_abandoned(tmp_path)
        assert (folder / "file").exists()
    assert not folder.exists()
    alone = ScratchFolder(beside=tmp_path)
    path = alone.path
    del alone
    assert not path.exists()


def test_the_next_run_removes_half_written_files_and_notes_of_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    storage = tmp_path / "runs"
    paths = RunPaths(storage)
    left = [
        paths.checkpoints("acne", "exp", "exp-000") / ".last.pt.4711.tmp",
        paths.checkpoints("acne", "exp", "exp-001") / ".best.pt.4711.tmp",
        paths.wandb_state("acne", "exp", "exp-000").with_name(".exp-000.json.12.tmp"),
        paths.partition("predictions", "acne", "exp") / ".exp-000-val.parquet.4711.tmp",
        paths.partition("trials", "acne", "exp") / ".data.parquet.4711.tmp",
    ]
    kept = [
        paths.checkpoints("acne", "exp", "exp-000") / "last.pt",
        paths.checkpoints("acne", "exp", "exp-000") / ".mine.tmp",
        paths.checkpoints("acne", "other", "other-000") / ".last.pt.4711.tmp",  # its run may be alive
        paths.partition("test_openings", "acne", "exp") / ".2026.parquet.4711.tmp",  # written without the lock
    ]
    for file in left + kept:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    killed, notes = holder(tmp_path)
    killed.kill()
    killed.wait()
    holding = ExperimentWriter(storage, "acne", "exp")
    assert [file.exists() for file in left] == [False] * len(left)
    assert all(file.exists() for file in kept)
    assert not notes.exists()
    (left[0]).write_bytes(b"being written")
    with pytest.raises(StoreError, match="is being run by"):
        ExperimentWriter(storage, "acne", "exp")  # without the lock nothing is removed
    assert left[0].exists()
    holding.close()


def test_half_a_pack_is_removed_once_its_process_has_died_and_it_is_quiet(make_pack: PackMaker, tmp_path: Path):
    import os

    pack = make_pack().path
    dead, fresh, alive = (pack.with_name(f".{pack.name}.{process}.tmp") for process in (2**22 + 1, 2**22 + 2, 1))
    for file in (dead, fresh, alive):
        file.write_bytes(b"half")
    for file in (dead, alive):
        os.utime(local(file), (0, 0))
    remove_abandoned_writes(pack)
    assert (dead.exists(), fresh.exists(), alive.exists(), pack.exists()) == (False, True, True, True)


@pytest.mark.parametrize("anew", [False, True])
def test_an_experiment_that_is_removed_under_its_writer_is_not_made_anew(anew: bool, tmp_path: Path):
    storage = tmp_path / "runs"
    writer = ExperimentWriter(storage, "acne", "exp")
    writer.update_trial("exp-000", status="running")
    writer.flush()
    storage.rename(tmp_path / "moved")
    if anew:
        ExperimentWriter(storage, "acne", "exp").close()
    writer.update_trial("exp-000", status="completed")
    with pytest.raises(StoreError, match="was removed while a run wrote to it") as caught:
        writer.flush()
    assert ("made anew" in str(caught.value)) == anew
    assert storage.exists() == anew
    assert not (storage / "results").exists()
