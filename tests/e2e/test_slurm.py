"""`sbatch jobs/slurm.sbatch`, as its head has it, in a real Slurm queue."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skin_tune.results import load_epochs, load_trials
from tests.cli_runner import ROOT
from tests.e2e.slurm_queue import Queue, missing, slurm
from tests.integration.processes import checkpoint_of, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

EDITS = {"nodes": "2", "cpus-per-task": "1", "time": "00:20:00"}
SPACE = ("--space", "search_spaces/sample.yaml", "image_size=32")


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    if lacking := missing():
        pytest.skip(f"a Slurm of its own needs {lacking}")
    mark = f"sl{os.getpid() % 10000}"
    with slurm(tmp_path_factory.mktemp("slurm"), (f"{mark}a", f"{mark}b")) as queue:
        yield queue


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working copy whose `jobs/slurm.sbatch` has its marked places filled in, with the sample's photos."""
    copy = tmp_path_factory.mktemp("repository")
    for name in ("jobs", "search_spaces"):
        shutil.copytree(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(Path(sys.executable).parents[1])
    script = copy / "jobs" / "slurm.sbatch"
    text = script.read_text()
    assert re.findall("EDIT [0-9]", text) == ["EDIT 1", "EDIT 2", "EDIT 3", "EDIT 4"]
    text = re.sub("#SBATCH --gpus-per-node=.*\n", "", text)
    for name, value in EDITS.items():
        text, found = re.subn(f"(#SBATCH --{name})=.*", rf"\1={value}", text)
        assert found == 1
    script.write_text(text)
    subprocess.run([sys.executable, "-m", "skin_tune", "sample", copy / "sample", "--subjects", "30"], check=True)
    return copy


def submitted(queue: Queue, repository: Path, *job: object) -> subprocess.CompletedProcess[str]:
    """A job that has ended, its output as stdout."""
    done = queue.call("sbatch", "--wait", "jobs/slurm.sbatch", *job, cwd=repository)
    newest = max(repository.glob("slurm-*.out"), key=lambda file: file.stat().st_mtime)
    return subprocess.CompletedProcess(done.args, done.returncode, newest.read_text(), done.stderr)


def tune(name: str, *more: object) -> tuple[object, ...]:
    return ("tune_region.py", "lip_dryness", "--data", "sample", "--size", 32, "--name", name, *SPACE, *more)


def test_a_search_that_is_ended_goes_on_with_the_same_command(queue: Queue, repository: Path):
    storage, job = repository / "runs", tune("long", "epochs=15", "--trials", 3)
    given = queue.call("sbatch", "--parsable", "jobs/slurm.sbatch", *job, cwd=repository)
    number = given.stdout.strip()
    said = repository / f"slurm-{number}.out"
    state = ("squeue", "--noheader", "--format=%T", "--jobs", number)
    wait_until(
        lambda: all(checkpoint_of(storage, "long", trial) for trial in (0, 1)) or not queue.call(*state).stdout, 300
    )
    assert "RUNNING" in queue.call(*state).stdout, said.read_text()
    queue.call("scancel", "--batch", "--signal=TERM", number)
    wait_until(lambda: not queue.call(*state).stdout.strip() or "COMPLETING" in queue.call(*state).stdout)
    assert "ExitCode=143:0" in queue.call("scontrol", "show", "job", number).stdout
    assert "--resume" in said.read_text()
    before = load_epochs(storage, experiment="long")
    assert len(before) < 45

    done = submitted(queue, repository, *job)
    assert done.returncode == 0, done.stdout
    assert re.search("3 trials: .*; this run ended [123] of them in ", done.stdout)
    trials, epochs = load_trials(storage, experiment="long"), load_epochs(storage, experiment="long")
    assert trials["status"].isin(["completed", "stopped_early"]).all()
    assert not epochs.duplicated(["trial_id", "epoch"]).any()
    assert len(epochs) > len(before)


def test_the_exit_code_is_the_jobs(queue: Queue, repository: Path):
    wrong = submitted(queue, repository, *tune("wrong", "epochs=0"))
    assert wrong.returncode == 2
    assert "error: epochs=0 is outside" in wrong.stdout
    unknown = submitted(queue, repository, "tune.py", "--name", "wrong")
    assert unknown.returncode == 2
    assert "error: 'tune.py' is not one of ablation.py" in unknown.stdout
    nameless = submitted(queue, repository, "tune_all.py", "--data", "sample")
    assert nameless.returncode == 2
    assert "error: no --name is given" in nameless.stdout
