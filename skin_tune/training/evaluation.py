"""Evaluation of a network on one split of a pack."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed
import torch.nn.functional as F
from torch import nn

from skin_tune.config import TrialConfig
from skin_tune.data.loading.augmentation import network_input
from skin_tune.data.loading.prefetch import prefetched
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError
from skin_tune.metrics import (
    ADJUSTED,
    SOFT_MACRO_F1,
    WORST_GROUP,
    Confusion,
    confusion_matrix,
    metrics_for,
    metrics_of,
    soft_macro_f1,
)
from skin_tune.model.prior import Floats, adjusted
from skin_tune.training.compilation import Compiler
from skin_tune.training.device import autocast
from skin_tune.training.worst_group import groups_to_judge, worst_balanced_acc


@dataclass(frozen=True)
class Evaluation:
    """A model's predictions of one split, in the order of the pack's rows."""

    loss: float
    """Mean cross-entropy, whatever the training loss: comparable between trials."""
    probabilities: npt.NDArray[np.float32]
    """[N, K]"""
    adjusted_probabilities: npt.NDArray[np.float32] | None
    """[N, K] of evenly frequent classes, see `model.prior`; None where the model's prior is not known."""
    labels: npt.NDArray[np.int64]
    subjects: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]
    about: Mapping[str, npt.NDArray[np.object_]]
    """The pack's ABOUT columns."""

    @cached_property
    def confusion(self) -> Confusion:
        """int64 [K, K], true class by row, of the plain decision: the most probable class."""
        return self._confusion(self.probabilities)

    @cached_property
    def adjusted_confusion(self) -> Confusion | None:
        """The same of the adjusted decision, where it is known."""
        return None if self.adjusted_probabilities is None else self._confusion(self.adjusted_probabilities)

    def _confusion(self, probabilities: npt.NDArray[np.float32]) -> Confusion:
        return confusion_matrix(self.labels, probabilities.argmax(axis=1), probabilities.shape[1])

    def columns(self) -> dict[str, Any]:
        """Its rows as the store's `write_predictions` takes them."""
        return {
            "sources": self.sources.tolist(),
            "subjects": self.subjects.tolist(),
            "about": self.about,
            "labels": self.labels,
            "probabilities": self.probabilities,
            "predicted_adjusted": _decided(self.adjusted_probabilities),
        }

    def confusion_by(self, adjusted: bool) -> Confusion:
        """The confusion matrix of one of the decisions; of the plain one where the adjusted one is not known."""
        return self.adjusted_confusion if adjusted and self.adjusted_confusion is not None else self.confusion

    def scores(self, classes: list[str], ordinal: bool, grouped_by: str | None = None) -> dict[str, float]:
        """`metrics_of` the plain decision, and METRICS of the adjusted one as ``<name>_adjusted`` where it is known.

        With the latter goes SOFT_MACRO_F1, and with `grouped_by` WORST_GROUP by that attribute, where it has groups to
        judge.
        """
        plain = metrics_of(self.confusion, classes, ordinal)
        if self.adjusted_probabilities is None or self.adjusted_confusion is None:
            return plain
        adjusted = metrics_of(self.adjusted_confusion, classes, ordinal)
        told = {f"{name}{ADJUSTED}": adjusted[name] for name in metrics_for(ordinal)}
        soft = {SOFT_MACRO_F1: soft_macro_f1(self.adjusted_probabilities, self.labels)}
        return plain | told | soft | self._worst_group(grouped_by)

    def _worst_group(self, attribute: str | None) -> dict[str, float]:
        if attribute is None or self.adjusted_probabilities is None:
            return {}
        groups = groups_to_judge(self.about[attribute], attribute, self.labels, self.subjects)
        if not groups:
            return {}
        decided = self.adjusted_probabilities.argmax(axis=1)
        return {WORST_GROUP[attribute]: worst_balanced_acc(groups, self.labels, decided, self.probabilities.shape[1])}


@torch.no_grad()
def evaluate(
    network: nn.Module,
    pack: Pack,
    split: str,
    config: TrialConfig,
    device: torch.device,
    *,
    prior: Floats | None = None,
    rank: int = 0,
    world_size: int = 1,
    compiler: Compiler | None = None,
) -> Evaluation:
    """Predict one split, images resized only; `prior` [K] is that which the network was trained under.

    A `compiler` has the network compiled. With `world_size` > 1 each rank predicts its share, and has the whole. Raises
    ConfigError where the split is empty, PackChangedError where the pack is not what it was when it was opened.
    """
    pack.check()
    rows = pack.indices(split)
    if not len(rows):
        raise ConfigError(f"pack {str(pack.path)!r} has no {split} image")
    own = rows[rank::world_size]
    steps = _steps(own, 2 * config.batch_size if compiler is None else compiler.eval_images, whole=compiler is not None)
    logits_of = partial(compiler.eval_logits, network) if compiler else network
    network.eval()
    parts, loss = [], torch.zeros(1, dtype=torch.float64, device=device)
    for step, pixels in zip(steps, prefetched(pack.images, steps, device, pack.file.check), strict=True):
        with autocast(config, device):
            logits = logits_of(network_input(pixels, config.image_size)).float()
        labels = torch.from_numpy(pack.labels[step]).to(device, non_blocking=True)
        loss += F.cross_entropy(logits, labels, reduction="sum").double()
        parts.append(logits.softmax(dim=1))
    classes = len(pack.classes)
    probabilities = torch.cat(parts).cpu().numpy() if parts else np.zeros((0, classes), np.float32)
    loss_sum = loss.item()
    if world_size > 1:
        probabilities, loss_sum = _of_all_ranks(probabilities, loss_sum, len(rows), world_size)
    pack.check()
    return Evaluation(
        loss=loss_sum / len(rows),
        probabilities=probabilities,
        adjusted_probabilities=None if prior is None else adjusted(probabilities, prior),
        labels=pack.labels[rows],
        subjects=pack.subjects[rows],
        sources=pack.sources[rows],
        about={name: values[rows] for name, values in pack.about.items()},
    )


def _steps(rows: npt.NDArray[np.int64], most: int, *, whole: bool) -> list[npt.NDArray[np.int64]]:
    """`rows` in batches of at most `most`: all nearly alike, or all but the last as long as that where `whole`."""
    if whole:
        return [rows[start : start + most] for start in range(0, len(rows), most)]
    return np.array_split(rows, math.ceil(len(rows) / most)) if len(rows) else []


def mean_of(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The evaluation of the mean of several models' probabilities, all of the same images."""
    first = evaluations[0]
    probabilities = _mean([each.probabilities for each in evaluations])
    known = [each.adjusted_probabilities for each in evaluations if each.adjusted_probabilities is not None]
    of_labels = probabilities[np.arange(len(first.labels)), first.labels].astype(np.float64)
    return replace(
        first,
        loss=float(-np.log(np.maximum(of_labels, np.finfo(np.float32).tiny)).mean()),
        probabilities=probabilities,
        adjusted_probabilities=_mean(known) if len(known) == len(evaluations) else None,
    )


def _mean(probabilities: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    total: npt.NDArray[np.float64] = np.sum(probabilities, axis=0, dtype=np.float64)
    return (total / len(probabilities)).astype(np.float32)


def _decided(probabilities: npt.NDArray[np.float32] | None) -> npt.NDArray[np.int64] | None:
    return None if probabilities is None else probabilities.argmax(axis=1)


def _of_all_ranks(
    own: npt.NDArray[np.float32], loss: float, rows: int, world_size: int
) -> tuple[npt.NDArray[np.float32], float]:
    """Probabilities [rows, K] and summed loss from the shares of all ranks: rank r has rows r, r + world_size, ..."""
    shares: list[Any] = [None] * world_size
    torch.distributed.all_gather_object(shares, (own, loss))
    whole = np.empty((rows, own.shape[1]), np.float32)
    for rank, (probabilities, _) in enumerate(shares):
        whole[rank::world_size] = probabilities
    return whole, sum(part for _, part in shares)
