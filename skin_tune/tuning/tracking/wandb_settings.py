"""wandb's settings: the mode, and the names that the environment gives."""

import os

from skin_tune.errors import EnvironmentVariableError, ExperimentError
from skin_tune.text.escaping import has_control, shown

MODES = ("online", "offline", "disabled")


def configured_mode(mode: str | None) -> str:
    """online, offline, disabled, or auto: online where an API key is configured, and offline where not."""
    configured = os.environ.get("WANDB_MODE", "")
    return mode or (configured if configured in MODES else "auto")


_OTHER_MODES = ("shared", "dryrun", "run")
"""Further values of WANDB_MODE, for wandb's own commands; here they leave the mode to the API key."""


_RESERVED = frozenset("/\\#?%:")
"""Characters that no id of a run and no name of a project has."""


def check_mode(mode: str | None) -> None:
    """Raise ExperimentError for what is no wandb mode; None leaves it to WANDB_MODE, and that to the API key.

    Raises EnvironmentVariableError for what WANDB_MODE or WANDB_PROJECT cannot say.
    """
    if mode is not None and mode not in MODES:
        raise ExperimentError(f"--wandb {mode!r} is not one of {', '.join(MODES)}")
    configured = os.environ.get("WANDB_MODE")
    if configured and configured not in (*MODES, *_OTHER_MODES):
        raise EnvironmentVariableError(f"WANDB_MODE={shown(configured)} is not one of {', '.join(MODES)}")
    _given_name("WANDB_PROJECT")


def check_artifacts(mode: str | None) -> None:
    """Raise ExperimentError where `--wandb-artifacts` is given and there is no wandb run to log them to."""
    if configured_mode(mode) == "disabled":
        raise ExperimentError(
            "--wandb-artifacts needs a wandb run, and wandb is disabled, by --wandb or WANDB_MODE; "
            "give --wandb online or --wandb offline"
        )


def run_id_given() -> str | None:
    """The run that wandb's agent wants a training to be. Raises EnvironmentVariableError for an impossible name."""
    return _given_name("WANDB_RUN_ID")


def _given_name(variable: str) -> str | None:
    given = os.environ.get(variable) or None
    if given is not None and (len(given) > 128 or _RESERVED & set(given) or has_control(given) or not given.strip()):
        raise EnvironmentVariableError(
            f"{variable}={shown(given)} is not of at most 128 characters, without {' '.join(sorted(_RESERVED))}"
        )
    return given
