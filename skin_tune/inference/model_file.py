"""A model that training has left: a trial's `best.pt` or a refit's `model.pt`, ready to grade."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from skin_tune.config import TrialConfig
from skin_tune.data.loading.augmentation import network_input
from skin_tune.data.pack.format import Pack
from skin_tune.errors import CheckpointError, PackError
from skin_tune.metrics import is_adjusted
from skin_tune.model.network import build_network
from skin_tune.model.prior import Floats, log_shift
from skin_tune.storage.files import Location, location
from skin_tune.training.checkpoint import load_checkpoint
from skin_tune.training.checkpoint_checks import (
    OF_A_MODEL,
    check_entries,
    check_tensors,
    is_ordinal,
    kind_of,
    prior_of,
)
from skin_tune.training.device import autocast


@dataclass(frozen=True)
class TrainedModel:
    """A network, or the mean of several, with what is needed to use it."""

    path: Location
    network: nn.Module
    """On the CPU, in evaluation mode: float32 [B, 3, S, S] from `network_input` to logits [B, K] for `decide`."""
    config: TrialConfig
    classes: list[str]
    ordinal: bool
    """Whether the order of `classes` means anything."""
    region: str
    pack_id: str
    """Of the pack it was trained on."""
    prior: Floats | None
    """That it was trained under [K]; None in models of versions that did not keep it."""
    adjusted: bool
    """Whether it was chosen by the adjusted decision, and so decides: its probabilities are those of classes that are
    evenly frequent, see `model.prior`."""
    crop_size: int
    """Side in pixels of the crops it was trained on; the network resizes them to `config.image_size`."""

    others: tuple["TrainedModel", ...] = ()
    """Models whose probabilities are averaged with its own, see `load_model`; `network`, `config` and `prior` are those
    of the first."""

    @property
    def members(self) -> tuple["TrainedModel", ...]:
        """The model itself, then `others`."""
        return (self, *self.others)

    def to(self, device: torch.device) -> None:
        """Move its networks, in the layout in which they are fastest."""
        for member in self.members:
            member.network.to(device).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def probabilities(self, pixels: Tensor) -> Tensor:
        """Probabilities float32 [B, K] of crops uint8 [B, P, P, 3] on the model's device, by its decision."""
        parts = []
        for member in self.members:
            with autocast(member.config, pixels.device):
                logits = member.network(network_input(pixels, member.config.image_size))
            parts.append(member.decide(logits))
        return torch.stack(parts).mean(dim=0)

    def decide(self, logits: Tensor) -> Tensor:
        """Probabilities [B, K] of logits [B, K] of its own network; the largest is the grade."""
        if not self.adjusted or self.prior is None:
            return logits.float().softmax(dim=1)
        return (logits.float() - torch.from_numpy(log_shift(self.prior)).to(logits.device)).softmax(dim=1)


def load_model(path: str | Location) -> TrainedModel:
    """Read a model file: a trial's `best.pt`, a refit's `model.pt`, or a combination of several.

    Raises CheckpointError for a file that holds no model.

    >>> from skin_tune import load_model, load_trials
    >>> model = load_model(load_trials("runs", experiment="first")["checkpoint"].iloc[0])
    >>> model.region, model.classes, model.crop_size
    ('lip_dryness', ['0', '1', '2', '3', '4'], 32)
    """
    path = location(path)
    content = load_checkpoint(path)
    try:
        first, *others = [_model_in(path, each) for each in content.get("members", [content])]
    except CheckpointError as error:
        raise CheckpointError(f"{str(path)!r} holds no model that this program can use: {error}") from None
    return replace(first, others=tuple(others))


def _model_in(path: Location, content: dict[str, Any]) -> TrainedModel:
    check_entries(content, OF_A_MODEL)
    config = TrialConfig.from_stored(content["config"])
    network = build_network(config, len(content["classes"]))
    check_tensors(content["model"], network)
    network.load_state_dict(content["model"])
    network.requires_grad_(False).eval()
    prior = prior_of(content)
    return TrainedModel(
        path=path,
        network=network,
        config=config,
        classes=content["classes"],
        ordinal=is_ordinal(content),
        region=content["region"],
        pack_id=content["pack_id"],
        prior=prior,
        adjusted=prior is not None and is_adjusted(content.get("metric", "")),
        crop_size=content.get("pack_size", config.image_size),
    )


def check_same_task(model: TrainedModel, pack: Pack) -> None:
    """Raise PackError where `pack` has other classes or another kind of them, or images too small for `model`."""
    if model.classes != pack.classes:
        raise PackError(f"pack {str(pack.path)!r} has classes {pack.classes}, the model grades {model.classes}")
    if model.ordinal != pack.info.ordinal:
        raise PackError(
            f"pack {str(pack.path)!r} has {kind_of(pack.info.ordinal)} classes, the model grades "
            f"{kind_of(model.ordinal)} ones; prepare it {'without' if model.ordinal else 'with'} --nominal"
        )
    needed = max(member.config.image_size for member in model.members)
    if pack.info.size < needed:
        raise PackError(
            f"pack {str(pack.path)!r} has images of {pack.info.size} px, the model needs {needed}; "
            f"prepare it with --size {model.crop_size}"
        )
