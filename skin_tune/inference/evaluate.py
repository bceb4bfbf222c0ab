"""A finished model on one split of a pack."""

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.inference.model_file import TrainedModel, check_same_task, load_model
from skin_tune.storage.files import Location
from skin_tune.training.device import best_device
from skin_tune.training.evaluation import Evaluation, evaluate, mean_of


def evaluate_model(model: TrainedModel, pack: Pack, split: str) -> Evaluation:
    """Evaluate `model` on a split, on this machine's GPU if it has one.

    Raises PackError for a pack of other classes or of images too small.
    """
    check_same_task(model, pack)
    device = best_device()
    model.to(device)
    return mean_of(
        [evaluate(member.network, pack, split, member.config, device, prior=member.prior) for member in model.members]
    )


def evaluate_file(model: Location, pack: Location, split: str, pack_id: str | None = None) -> Evaluation:
    """Evaluate the model in a `best.pt` or `model.pt` on a split of a pack, which must be `pack_id` if that is given.

    Raises CheckpointError for a file that holds no model, PackError for a pack of other classes or another pack.
    """
    opened = open_pack(pack, pack_id)
    opened.verify()
    return evaluate_model(load_model(model), opened, split)
