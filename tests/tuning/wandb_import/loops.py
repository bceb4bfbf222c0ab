"""Offline runs as hand-written loops leave them, by wandb itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb

from skin_tune.tuning.tracking.wandb_files import on_disk
from tests.integration.processes import wait_until

_QUIET: dict[str, Any] = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "disable_code": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}


def write_run(
    folder: Path,
    run_id: str,
    rows: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None = None,
    exit_code: int = 0,
    **options: Any,
) -> Path:
    """A run below `<folder>/wandb` that logs `rows` one by one; returns its file once that is whole."""
    folder.mkdir(exist_ok=True)
    run = wandb.init(
        mode="offline",
        dir=folder,
        id=run_id,
        config=dict(config or {}),
        reinit="create_new",
        settings=wandb.Settings(**_QUIET),
        **{"project": "grades", **options},
    )
    for row in rows:
        run.log(dict(row))
    run.finish(exit_code=exit_code)
    wandb.teardown()  # else every process that is started from here on shares this one's wandb-core
    wait_until(lambda: on_disk(folder, run_id).ended)  # wandb returns before
    return Path(run.dir).parent / f"run-{run_id}.wandb"
