"""Workers that died, or were lost with their machine."""

from skin_tune.errors import SkinTuneError
from skin_tune.text.escaping import one_line


class WorkersLostError(SkinTuneError):
    """Workers died, or more often than was allowed."""


def reason_of(error: Exception) -> str:
    """Why a call of an actor or a task failed, in one line."""
    return one_line(getattr(error, "cause", None) or error)
