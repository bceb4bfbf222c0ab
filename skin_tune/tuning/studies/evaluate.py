"""A finished model on one split of a pack: `skin-tune evaluate`. Opening a test split is recorded before it happens."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.errors import PackError
from skin_tune.results.store.tables import load_test_openings
from skin_tune.results.store.writer import record_test_opening
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import made_by
from skin_tune.training.checkpoint_file import check_is_file

if TYPE_CHECKING:
    from skin_tune.inference.model_file import TrainedModel
    from skin_tune.training.evaluation import Evaluation


@dataclass(frozen=True)
class Evaluated:
    """A model's evaluation on a split of a pack."""

    model: "TrainedModel"
    pack: Pack
    split: str
    evaluation: "Evaluation"
    test_openings: int | None
    """How often this pack's test split has been opened below the storage, this time included; None for other splits."""


def run_evaluation(model_file: Location, pack_file: Location, split: str, storage: Location) -> Evaluated:
    """Evaluate the model of a file on a split of a pack, which may be of another clinic but has the same classes.

    Raises CheckpointError for a file that holds no model, PackError where pack or split do not fit, and StoreError
    where the opening of a test split cannot be recorded: it then stays closed.
    """
    if split not in SPLITS:
        raise PackError(f"--split {split!r} is not one of {', '.join(SPLITS)}")
    check_is_file(model_file)
    pack = open_pack(pack_file)
    from skin_tune.inference.evaluate import evaluate_model  # load PyTorch: not before the checks
    from skin_tune.inference.model_file import check_same_task, load_model

    model = load_model(model_file)
    check_same_task(model, pack)
    pack.verify()
    if not len(pack.indices(split)):
        raise PackError(f"pack {str(pack_file)!r} has no {split} image; prepare it with another --split")
    openings = None
    if split == "test":
        pack_id = pack.info.pack_id
        experiment, trial_id = made_by(model_file) or ("evaluate", f"{model_file.stem}-{_digest(model_file)}")
        record_test_opening(storage, pack.info.region, experiment, trial_id, command="evaluate", pack_id=pack_id)
        recorded = load_test_openings(storage, pack.info.region)
        openings = int((recorded["pack_id"] == pack_id).sum())
    return Evaluated(model, pack, split, evaluate_model(model, pack, split), openings)


def _digest(file: Location) -> str:
    """Tells apart models that were moved away from their experiments and bear the same name."""
    return hashlib.blake2b(file.read_bytes(), digest_size=4).hexdigest()
