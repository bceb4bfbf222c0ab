"""Runs that start a Ray of their own do not take the same GPU."""

import subprocess
import sys
from pathlib import Path

import pytest

from skin_tune.errors import ClusterError
from skin_tune.tuning.backend import machine_gpus as gpus


@pytest.fixture(autouse=True)
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has two."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nprintf '0, GPU-aaaa-1\\n1, GPU-bbbb-2\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    monkeypatch.setenv("SKIN_TUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, ["GPU-aaaa-1", "GPU-bbbb-2"]),
        ("1", ["GPU-bbbb-2"]),
        ("GPU-bbbb", ["GPU-bbbb-2"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["GPU-aaaa-1"]),
        ("MIG-c", ["MIG-c"]),
    ],
)
def test_a_gpu_is_the_same_whatever_it_is_called(visible: str | None, seen: list[str], monkeypatch: pytest.MonkeyPatch):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.visible_gpus() == seen


def test_a_machine_without_the_driver_has_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert gpus.visible_gpus() == []


HOLDER = """
import sys
from skin_tune.tuning.backend import machine_gpus

machine_gpus.take()
print("has them", flush=True)
sys.stdin.read()
"""


def test_a_second_run_is_told_who_has_them_and_gets_them_when_that_is_dead(monkeypatch: pytest.MonkeyPatch):
    other = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "has them\n"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        with pytest.raises(ClusterError, match=rf"GPU GPU-bbbb-2 .* process {other.pid} on .*ray start --head"):
            gpus.take()
    finally:
        other.kill()
        other.wait()
    gpus.take()
    gpus.release()


def test_runs_with_a_gpu_each_run_side_by_side(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "has them\n"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        gpus.take()
        gpus.release()
