"""The context of a trial: what all trials of an experiment share, and the keys that identify one."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.results.store.lock import check_storage
from skin_tune.results.store.predictions import write_predictions
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths

if TYPE_CHECKING:  # PyTorch is not for the driver of trials, which would wait for it
    from skin_tune.model.network import StateDict
    from skin_tune.training.evaluation import Evaluation

TRIAL_ID = "trial_id"
"""Entry of a Tune config that is no hyper-parameter: the trial's id in the store, kept over restarts."""


REGION = "region"
"""Entry of a Tune config that is no hyper-parameter: the region whose experiment the trial belongs to."""


FOLD = "fold"
"""Entry of a Tune config that is no hyper-parameter: the Fold whose people judge the trial, where there are folds."""


WeightsTable: TypeAlias = "Mapping[tuple[str, str], StateDict | None]"
"""Starting weights by (`weights`, `backbone`), resolved once by the driver."""


@dataclass(frozen=True)
class TrialSetting:
    """Settings that all trials of an experiment share."""

    pack: Location
    pack_id: str
    storage: Location
    region: str
    experiment: str
    metric: str
    split_seed: int
    classes: Sequence[str]
    ordinal: bool
    include_val: bool = False
    """Whether the validation images are trained on, too."""
    compiling_pays: bool = False
    """Whether a process trains on enough images for `compile=auto` to compile."""
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    """Tells this run from others, so that each machine has its pack hashed once in it."""

    @classmethod
    def of(
        cls,
        pack: Pack,
        storage: Location,
        experiment: str,
        metric: str,
        *,
        include_val: bool = False,
        compiling_pays: bool = False,
    ) -> "TrialSetting":
        """The setting of trials on `pack`."""
        info = pack.info
        return cls(
            pack=pack.path,
            pack_id=info.pack_id,
            storage=storage,
            region=info.region,
            experiment=experiment,
            metric=metric,
            split_seed=info.split_seed,
            classes=info.classes,
            ordinal=info.ordinal,
            include_val=include_val,
            compiling_pays=compiling_pays,
        )

    @property
    def folder(self) -> Location:
        """Folder of the experiment, without which nothing is written."""
        return RunPaths(self.storage).experiment(self.region, self.experiment)

    def checkpoints(self, trial_id: str) -> Location:
        """Folder of one trial's `best.pt` and, while it is unfinished, `last.pt`."""
        return RunPaths(self.storage).checkpoints(self.region, self.experiment, trial_id)

    def keep_validation(self, config: Mapping[str, Any], validation: "Evaluation") -> None:
        """Put what the best epoch so far of a trial, by its Tune config, says of the images it is judged by.

        They are split `oof` (out of fold) in the store where the trial has a fold, else `val`.
        """
        split = "oof" if FOLD in config else "val"
        write_predictions(self.storage, self.region, self.experiment, config[TRIAL_ID], split, **validation.columns())

    def check_storage(self) -> None:
        """Raise StoreError where the experiment's folder was removed: nothing is to be written there any more."""
        check_storage(RunPaths(self.storage).lock(self.region, self.experiment))

    def open_pack(self) -> Pack:
        """The experiment's pack. Raises PackError if it is missing on this machine, or its id differs."""
        pack = open_pack(self.pack, self.pack_id)
        pack.verify(self.run)
        return pack


Settings = Mapping[str, TrialSetting]
"""By region: the experiments that share a Tune run."""


def hyper_parameters(config: Mapping[str, Any]) -> dict[str, Any]:
    """A Tune config without the entries that are no hyper-parameters."""
    return {name: value for name, value in config.items() if name not in (TRIAL_ID, REGION, FOLD)}
