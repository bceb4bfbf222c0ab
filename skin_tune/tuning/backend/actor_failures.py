"""Failures of actors that Tune takes for the end of the run, turned into failures of one trial.

Tune restarts a trial whose actor died, and ends the run where Ray names another reason: that its memory monitor killed
the process, or that the node went. Both are the death of one actor.
"""

from ray.air.execution._internal import RayActorManager
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayError, RayTaskError, WorkerCrashedError
from ray.tune.execution import tune_controller

OUT_OF_MEMORY = (
    "its machine ran out of memory and Ray ended its process; fewer trials at a time (--concurrent), a smaller "
    "batch_size or a machine with more memory would help"
)


class PatientActorManager(RayActorManager):
    """Treats a trial whose process was killed as one whose process died."""

    def _actor_task_failed(self, tracked_actor_task, exception) -> None:  # type: ignore[no-untyped-def]
        super()._actor_task_failed(tracked_actor_task, as_actor_error(exception))

    def _actor_start_failed(self, tracked_actor, exception) -> None:  # type: ignore[no-untyped-def]
        super()._actor_start_failed(tracked_actor, as_actor_error(exception))


def as_actor_error(error: Exception) -> Exception:
    """The death of an actor where `error` is one by another name, else `error` itself."""
    if isinstance(error, RayActorError | RayTaskError):
        return error
    if isinstance(error, OutOfMemoryError):
        return RayActorError(error_msg=OUT_OF_MEMORY)
    if isinstance(error, NodeDiedError | WorkerCrashedError):
        return RayActorError(error_msg=" ".join(str(error).split()))
    return error


def ray_error_of(error: BaseException | None) -> RayError | None:
    """The Ray error that caused `error`; None for any other."""
    while error is not None and not isinstance(error, RayError):
        error = error.__cause__ or error.__context__
    return error


def be_patient() -> None:
    """Install PatientActorManager for the runs of this process."""
    tune_controller.RayActorManager = PatientActorManager
