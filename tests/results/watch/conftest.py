import pytest

from skin_tune.results.watch import experiment as room


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage is looked at each time that somebody asks."""
    monkeypatch.setattr(room, "_LOCAL_SECONDS", 0.0)
    monkeypatch.setattr(room, "_BUCKET_SECONDS", 0.0)
