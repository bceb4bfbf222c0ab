"""Versions of code and libraries: the provenance of a figure beside its config, pack and seed."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__version__ = "0.1.0"

_LIBRARIES = ("torch", "torchvision", "ray", "optuna", "numpy", "pyarrow", "pillow")


@cache
def code_version() -> str:
    """``0.1.0``, with the commit where the package is a git checkout: ``0.1.0+1a2b3c4d5e6f``, or ``...-changed``."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return __version__
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = "-changed" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f"{__version__}+{commit}{changed}"


@cache
def libraries() -> str:
    """``python 3.11.7, torch 2.15.0, ...``"""
    versions = [f"python {platform.python_version()}"]
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(versions)


def append_version(earlier: str | None, now: str) -> str:
    """`now` appended to an earlier version where they differ: ``a; then b`` for what was resumed under another."""
    if not earlier or earlier.split("; then ")[-1] == now:
        return earlier or now
    return f"{earlier}; then {now}"


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
