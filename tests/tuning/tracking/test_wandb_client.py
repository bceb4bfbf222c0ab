"""What the environment says of wandb is checked as what is typed is."""

import pytest

from skin_tune.errors import EnvironmentVariableError
from skin_tune.tuning.tracking.wandb_settings import check_mode, run_id_given


@pytest.mark.parametrize(("value", "fine"), [("offline", True), ("", True), ("dryrun", True), ("on line", False)])
def test_wandb_s_mode_is_one_it_has(value: str, fine: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", value)
    if fine:
        check_mode(None)
        return
    with pytest.raises(EnvironmentVariableError, match="WANDB_MODE='on line' is not one of online, offline, disabled"):
        check_mode(None)


@pytest.mark.parametrize("value", ["a/b", "x" * 129, "50%", " ", "\x1b[31m"])
def test_wandb_s_names_are_names(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_PROJECT", value)
    with pytest.raises(EnvironmentVariableError, match="WANDB_PROJECT"):
        check_mode(None)
    monkeypatch.setenv("WANDB_PROJECT", "skin")
    check_mode(None)
    monkeypatch.setenv("WANDB_RUN_ID", value)
    with pytest.raises(EnvironmentVariableError, match="WANDB_RUN_ID"):
        run_id_given()
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    assert run_id_given() == "abc123"
