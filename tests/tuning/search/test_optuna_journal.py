"""The search's journal after a loss of power, a full disk, a kill."""

import json
import time
from pathlib import Path

import pytest

from skin_tune.errors import StoreError
from skin_tune.storage.files import location, upload
from skin_tune.tuning.search.optuna_journal import Journal
from skin_tune.tuning.search.searcher import SpaceSearcher
from skin_tune.tuning.space.parameters import Parameter, Space
from tests.conftest import Bucket
from tests.special_files import pipe

SPACE = Space("bayes", "val_balanced_acc", (Parameter("learning_rate", "log_uniform_values", (), (), (1e-5, 1e-2)),))


def search(journal: Path, number: int) -> None:
    """Ask for one more trial and tell of its end."""
    taken = [f"exp-{earlier:03d}" for earlier in range(number)]
    searcher = SpaceSearcher(SPACE, 0, "exp", Journal(journal).file, started_ids=taken)
    assert searcher.suggest("t")["trial_id"] == f"exp-{number:03d}"
    searcher.on_trial_complete("t", {"best_val_balanced_acc": 0.5})


@pytest.mark.parametrize(
    "torn",
    [
        lambda whole: whole[:-1],  # the last record without its end of line
        lambda whole: whole[:-20],
        lambda whole: whole + b'{"op_code": 4, "wor',
        lambda whole: whole + b"\0" * 4096,  # blocks that were never written
        lambda whole: whole + b"\0" * 100 + b"\n" + whole.splitlines(keepends=True)[-1],
        lambda whole: b"",
        lambda whole: whole[:10],
    ],
)
def test_a_journal_that_was_cut_off_can_be_appended_to_and_read_again(torn, tmp_path: Path):
    journal = tmp_path / "search.log"
    search(journal, 0)
    search(journal, 1)
    journal.write_bytes(torn(journal.read_bytes()))
    search(journal, 2)
    search(journal, 3)
    lines = journal.read_bytes().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_a_whole_journal_is_left_as_it_is(tmp_path: Path):
    journal = tmp_path / "search.log"
    search(journal, 0)
    before = journal.read_bytes()
    Journal(journal)
    assert journal.read_bytes() == before


def test_the_lock_of_a_search_that_was_killed_while_it_wrote_is_not_waited_for(tmp_path: Path):
    journal = tmp_path / "search.log"
    search(journal, 0)
    (tmp_path / "search.log.lock").symlink_to(journal)
    started = time.monotonic()
    search(journal, 1)
    assert time.monotonic() - started < 10


def test_a_journal_in_a_bucket_is_cut_too(bucket: Bucket, tmp_path: Path):
    search(tmp_path / "whole.log", 0)
    whole = (tmp_path / "whole.log").read_bytes()
    (tmp_path / "torn.log").write_bytes(whole + b'{"op')
    there = location(f"{bucket.url}/search.log")
    upload(tmp_path / "torn.log", there)
    assert Journal(there).file.read_bytes() == whole


def test_a_journal_of_a_search_is_a_regular_file(tmp_path: Path):
    with pytest.raises(StoreError, match="is not a regular file"):
        Journal(pipe(tmp_path / "search.log"))
    assert Journal(tmp_path / "new.log").file == tmp_path / "new.log"
