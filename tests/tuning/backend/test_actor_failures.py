"""The death of one actor is told from the end of a run, by Ray's own errors."""

import pytest
from ray.exceptions import (
    GetTimeoutError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    WorkerCrashedError,
)

from skin_tune.tuning.backend.actor_failures import OUT_OF_MEMORY, as_actor_error, ray_error_of


def test_a_process_that_was_killed_for_memory_or_with_its_node_counts_as_one_that_died():
    killed = as_actor_error(OutOfMemoryError("a page of figures"))
    assert isinstance(killed, RayActorError)
    assert OUT_OF_MEMORY in str(killed)
    gone = as_actor_error(NodeDiedError("the node\nis gone"))
    assert isinstance(gone, RayActorError)
    assert "the node is gone" in str(gone)
    assert isinstance(as_actor_error(WorkerCrashedError()), RayActorError)


@pytest.mark.parametrize(
    "error",
    [RayActorError(), RayTaskError("step", "a traceback", ValueError("x")), ValueError("x"), GetTimeoutError("x")],
)
def test_every_other_error_stays_what_it_is(error: Exception):
    assert as_actor_error(error) is error


def test_the_error_of_ray_is_found_behind_those_that_it_led_to():
    lost, ended, cleaning = NodeDiedError("gone"), RuntimeError("the run ends"), KeyError("while it was cleaned up")
    ended.__cause__, cleaning.__context__ = lost, ended
    assert ray_error_of(cleaning) is lost
    assert ray_error_of(ValueError("of our own")) is None
    assert ray_error_of(None) is None
