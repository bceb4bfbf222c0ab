"""Opens wandb runs: on its server, or offline once that cannot be used."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wandb

from skin_tune.text.escaping import one_line

INIT_SECONDS = 15
"""How long a server may take to accept a run before this and the following ones are written offline."""


class WandbSession:
    """Opens runs below `<folder>/wandb`; `say` tells the user why they are offline.

    `mode` is online, offline, or auto: online where an API key is configured.
    """

    def __init__(self, folder: Path, mode: str, say: Callable[[str], None]):
        self._folder, self.mode, self._say = folder, mode, say
        self.offline = 0
        """How many runs were opened offline."""
        if mode != "offline":
            self._log_in()

    def open(self, labels: dict[str, str], config: dict[str, Any], run_id: str) -> Any:
        """A trial's run, or its continuation."""
        if self.mode == "online":
            try:
                return self._opened(labels, config, run_id)
            except Exception as error:
                self._go_offline(error)
        self.offline += 1
        return self._opened(labels, config, run_id)

    def _log_in(self) -> None:
        """Settle on online or offline before the first run: one the server refused could not use its id offline."""
        try:
            has_key = wandb.login(prompt=False, verify=True)
        except Exception as error:
            self._go_offline(error)
            return
        if not has_key and self.mode == "online":
            self._say("no API key is configured (WANDB_API_KEY, or wandb login); going on offline")
        self.mode = "online" if has_key else "offline"

    def _go_offline(self, error: Exception) -> None:
        self.mode = "offline"
        self._say(f"the server cannot be used ({one_line(error, 160)}); going on offline")

    def _opened(self, labels: dict[str, str], config: dict[str, Any], run_id: str) -> Any:
        region, experiment, trial = labels["region"], labels["experiment"], labels["trial"]
        return wandb.init(
            mode="online" if self.mode == "online" else "offline",
            dir=self._folder,
            project=os.environ.get("WANDB_PROJECT") or "skin-tune",
            id=run_id,
            name=trial if trial.startswith(experiment) else experiment,
            group=experiment,
            job_type=region,
            tags=[region, config["backbone"], config["train_loss"]],
            config=config,
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                init_timeout=INIT_SECONDS,
                disable_code=True,
                disable_git=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,  # the list of installed packages is nine tenths of what a run costs
            ),
        )
