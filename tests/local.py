"""Paths that a test knows to be on this machine."""

from pathlib import Path

from skin_tune.storage.files import Location, is_local


def local(path: Location) -> Path:
    """`path` itself, which is not in a bucket."""
    assert is_local(path)
    return path
