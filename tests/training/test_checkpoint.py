"""Checkpoints that are written while training goes on."""

from pathlib import Path

import pytest
import torch

from skin_tune.training.checkpoint import BackgroundSaver, load_checkpoint


def test_a_checkpoint_is_of_the_moment_it_was_asked_for(tmp_path: Path):
    weights, history = torch.zeros(1000, 1000), [{"epoch": 1}]
    saver = BackgroundSaver()
    saver.save(tmp_path / "last.pt", {"model": {"weights": weights}, "history": history})
    weights += 1
    history.append({"epoch": 2})
    saver.wait()
    saved = load_checkpoint(tmp_path / "last.pt")
    assert saved["model"]["weights"].sum() == 0
    assert saved["history"] == [{"epoch": 1}]
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_one_checkpoint_follows_the_other(tmp_path: Path):
    saver = BackgroundSaver()
    for epoch in range(5):
        saver.save(tmp_path / "last.pt", {"epoch": epoch, "model": torch.zeros(1000, 1000)})
    saver.wait()
    assert load_checkpoint(tmp_path / "last.pt")["epoch"] == 4


def test_a_checkpoint_that_could_not_be_written_is_heard_of_once(tmp_path: Path):
    (tmp_path / "folder").write_text("is a file")
    saver = BackgroundSaver()
    saver.save(tmp_path / "folder" / "last.pt", {})
    with pytest.raises(OSError, match="folder"):
        saver.wait()
    saver.wait()
