"""Joining a cluster, or starting Ray."""

import os
from pathlib import Path
from typing import Any

import pytest
import ray

from skin_tune.errors import ClusterError, EnvironmentVariableError
from skin_tune.tuning.backend import cluster
from skin_tune.tuning.backend.cluster import connect
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker


def test_ray_is_started_once_more_where_it_did_not_come_up_in_time(monkeypatch: pytest.MonkeyPatch):
    late = "The current node timed out during startup."  # of the class Exception, as Ray raises it
    ends: list[Exception | None] = [Exception(late), None]
    started = []

    def init(**options: Any) -> None:
        started.append(options.get("address"))
        if error := ends.pop(0):
            raise error

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    cluster.connect()
    assert started == [None, "local"], "what the first start has left is not joined"
    ends += [Exception(late), Exception(late)]
    with pytest.raises(ClusterError, match=f"does not start on this machine: {late}"):
        cluster.connect()


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:99999999", "127.0.0.1:x", ":"])
def test_a_cluster_s_address_is_one(
    address: str, monkeypatch: pytest.MonkeyPatch, make_pack: PackMaker, tmp_path: Path
):
    monkeypatch.setenv("RAY_ADDRESS", address)
    words = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=8", "epochs=1", "--trials", "1")
    where = ("--space", "search_spaces/scratch.yaml", "--storage", tmp_path / "runs")
    done = skin_tune_here("tune", make_pack().path, *words, *where)
    assert_one_line_error(done, f"RAY_ADDRESS={address!r}")


def test_ray_s_own_settings_are_numbers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "many")
    with pytest.raises(EnvironmentVariableError, match="TUNE_MAX_PENDING_TRIALS_PG='many' is not a whole number"):
        connect()
    assert os.environ["TUNE_MAX_PENDING_TRIALS_PG"] == "many"
