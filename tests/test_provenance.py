import re
import subprocess
import sys
from pathlib import Path

import torch

from skin_tune import __version__
from skin_tune.provenance import append_version, libraries


def version_told_in(checkout: Path) -> str:
    """What a copy of the package in `checkout` says of itself."""
    ask = "from skin_tune.provenance import code_version; print(code_version())"
    done = subprocess.run([sys.executable, "-c", ask], cwd=checkout, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_code_is_told_with_its_commit_and_whether_it_was_changed(tmp_path: Path):
    package = tmp_path / "skin_tune"
    package.mkdir()
    source = Path(__file__).parents[1] / "skin_tune"
    for name in ("__init__.py", "provenance.py"):
        (package / name).write_text((source / name).read_text())
    assert version_told_in(tmp_path) == __version__
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")[:12]
    assert version_told_in(tmp_path) == f"{__version__}+{commit}"
    (package / "__init__.py").write_text("changed = True\n")
    assert version_told_in(tmp_path) == f"{__version__}+{commit}-changed"


def test_the_libraries_that_decide_a_figure_are_told():
    told = dict(part.rsplit(" ", 1) for part in libraries().split(", "))
    assert told["torch"] == torch.__version__.split("+")[0]
    assert re.fullmatch(r"3\.\d+\.\d+", told["python"])
    assert {"ray", "torchvision", "optuna", "numpy"} <= told.keys()


def test_what_changed_over_an_interruption_is_told_in_its_order():
    assert append_version(None, "a") == "a"
    assert append_version("a", "a") == "a"
    assert append_version("a", "b") == "a; then b"
    assert append_version("a; then b", "b") == "a; then b"
