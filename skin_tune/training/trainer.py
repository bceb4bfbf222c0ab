"""The one loop that trains: plain PyTorch, on one device or as one rank of several."""

import contextlib
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn

from skin_tune.config import TrialConfig
from skin_tune.data.augment import network_input
from skin_tune.data.batches import prefetched
from skin_tune.data.pack import Pack
from skin_tune.data.sampling import batches, epoch_plan, target_counts
from skin_tune.errors import CheckpointError, ConfigError, SkinTuneError
from skin_tune.model.losses import build_loss
from skin_tune.model.network import StateDict, build_network, dropout_of, load_weights
from skin_tune.model.parallel import average_buffers, synchronised
from skin_tune.training.metrics import SELECTION_METRICS, Confusion, confusion_matrix, metrics_of

MAX_GRADIENT_NORM = 5.0
"""Gradients are clipped to this norm: far above an ordinary step's, low enough to survive a bad batch."""

_FINITE_CHECK_EVERY = 32
"""Steps between looks at the loss: each look makes a GPU wait for its queue to empty."""


class TrainingDivergedError(SkinTuneError):
    """A loss or the selection metric is no longer finite."""

    exit_code = 1


@dataclass(frozen=True)
class Evaluation:
    """What a model says of one split. Rows are this rank's share of the split; the confusion matrix is everyone's."""

    confusion: Confusion
    """int64 [K, K], true class by row."""
    loss: float
    """Mean cross-entropy, whatever the training loss: comparable between trials."""
    probabilities: npt.NDArray[np.float32]
    """[N, K]"""
    labels: npt.NDArray[np.int64]
    subjects: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]


_LEAST_IMAGES_PER_WORKER = 4
"""A global batch can be half of `batch_size`, and batch normalisation of a worker's own share needs two images."""


def check_fit(config: TrialConfig, pack: Pack, workers: int = 1) -> None:
    """Raise ConfigError where `config` asks more of `pack` than it holds, or cannot be dealt out to `workers`."""
    if workers > 1 and config.batch_size < _LEAST_IMAGES_PER_WORKER * workers:
        raise ConfigError(
            f"batch_size={config.batch_size} is below {_LEAST_IMAGES_PER_WORKER} images for each of {workers} workers"
        )
    if config.image_size > pack.info.size:
        raise ConfigError(f"image_size={config.image_size} is larger than the pack's {pack.info.size}")
    images = len(pack.indices("train"))
    if config.batch_size > images:
        raise ConfigError(f"batch_size={config.batch_size} is larger than the training set of {images} images")
    if not len(pack.indices("val")):
        raise ConfigError(f"pack {str(pack.path)!r} has no validation image; prepare it with another --split-seed")


class Trainer:
    """Trains one config on one pack.

    `weights` is a state dict from `load_weights`, loaded here if the config asks for one and none is given; an empty
    one starts at random, as for a checkpoint that is about to be loaded. `metric`
    is what the best epoch is chosen by. With `world_size` > 1 every rank holds a Trainer, and gradients, losses and
    confusion matrices are summed over torch.distributed's default group.
    """

    def __init__(
        self,
        config: TrialConfig,
        pack: Pack,
        *,
        device: str | torch.device = "cpu",
        rank: int = 0,
        world_size: int = 1,
        metric: str = "val_balanced_acc",
        weights: StateDict | None = None,
    ):
        check_fit(config, pack, world_size)
        if metric not in SELECTION_METRICS:
            raise ConfigError(f"metric {metric!r} is not one of {', '.join(SELECTION_METRICS)}")
        self.config, self.pack, self.metric = config, pack, metric
        self.device, self.rank, self.world_size = torch.device(device), rank, world_size
        self.epoch = 0
        self.best_epoch = 0
        self.best_metrics: dict[str, float] = {}
        self.history: list[dict[str, float]] = []

        self.train_rows = pack.indices("train")
        self.train_labels = pack.labels[self.train_rows]
        # Taken before oversampling: counts of a balanced stream would turn the class-balanced loss off.
        original_counts = pack.class_counts("train")
        self.loss = build_loss(config, original_counts).to(self.device)
        self.targets = target_counts(original_counts, config.oversample, config.target_samples_per_class)

        torch.manual_seed(config.seed)
        if weights is None:
            weights = load_weights(config.weights, config.backbone)
        network = build_network(config, len(pack.classes), weights or None)
        if world_size > 1 and config.sync_batchnorm:
            network = synchronised(network, self.device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.dropout = dropout_of(self.network)
        self.model: nn.Module = self.network
        if world_size > 1:
            # Buffers are the same on all ranks already, or made so at the end of each epoch.
            self.model = nn.parallel.DistributedDataParallel(self.network, forward_sync_buffers=False)
        self.optimizer = _optimizer(config, self.network)
        if self.device.type == "cuda":
            torch.backends.cudnn.deterministic = True  # the same seed, pack and machine give the same numbers

    @property
    def finished(self) -> bool:
        return self.epoch >= self.config.epochs

    @property
    def improved(self) -> bool:
        """Whether the last epoch is the best so far."""
        return self.epoch > 0 and self.best_epoch == self.epoch

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch, validate, return the metrics. Raises TrainingDivergedError where one is not finite."""
        started = time.perf_counter()
        self.epoch += 1
        # Reseeded every epoch, so that a resumed run draws the same dropout as an unbroken one.
        torch.manual_seed(_dropout_seed(self.config.seed, self.epoch))
        plan = epoch_plan(self.train_labels, self.targets, seed=self.config.seed, epoch=self.epoch)
        steps = batches(len(plan), self.config.batch_size, rank=self.rank, world_size=self.world_size)
        draws_per_step = [len(part) for part in np.array_split(np.arange(len(plan)), len(steps))]
        stream = prefetched(self.pack.images, [self.train_rows[plan.positions[step]] for step in steps], self.device)
        chosen = plan.added if self.config.augment == "added" else np.ones(len(plan), dtype=bool)

        self.model.train()
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)  # loss, hits
        for number, (step, pixels) in enumerate(zip(steps, stream, strict=True)):
            images = network_input(
                pixels,
                self.config.image_size,
                torch.from_numpy(plan.randoms[step]).to(self.device),
                torch.from_numpy(chosen[step]).to(self.device),
                self.config.augmentation_methods,
            )
            labels = torch.from_numpy(self.train_labels[plan.positions[step]]).to(self.device)
            learning_rate = self._set_learning_rate((number + 0.5) / len(steps))
            self.dropout.share(self.rank, self.world_size, draws_per_step[number])
            with self._autocast():
                logits = self.model(images)
            losses = self.loss(logits, labels)
            # Averaging over ranks, as DDP does, then gives the mean over the global batch, whatever each rank's share.
            (losses.sum() * self.world_size / draws_per_step[number]).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            sums += torch.stack([losses.detach().sum().double(), (logits.argmax(1) == labels).sum().double()])
            if number % _FINITE_CHECK_EVERY == 0:
                self._check_finite("train_loss", self._summed(sums[0].clone()).item())  # all ranks end, or none
        if self.world_size > 1 and not self.config.sync_batchnorm:
            average_buffers(self.network)
        loss_sum, hits = self._summed(sums).tolist()
        self._check_finite("train_loss", loss_sum)
        trained = time.perf_counter() - started

        validation = self.evaluate("val")
        self._check_finite("val_loss", validation.loss)
        scores = metrics_of(validation.confusion, self.pack.classes)
        metrics = {
            "epoch": self.epoch,
            "train_loss": loss_sum / len(plan),
            "train_acc": hits / len(plan),
            "val_loss": validation.loss,
            **{f"val_{name}": value for name, value in scores.items()},
            "learning_rate": learning_rate,
            "epoch_seconds": time.perf_counter() - started,
            "images_per_second": len(plan) / trained,
        }
        self._check_finite(self.metric, metrics[self.metric])
        if not self.best_metrics or metrics[self.metric] > self.best_metrics[self.metric]:
            self.best_epoch, self.best_metrics = self.epoch, metrics
        self.history.append(metrics)
        return metrics

    @torch.no_grad()
    def evaluate(self, split: str) -> Evaluation:
        """Predict one split, images resized only. Raises ConfigError where the split is empty."""
        rows = self.pack.indices(split)
        if not len(rows):
            raise ConfigError(f"pack {str(self.pack.path)!r} has no {split} image")
        own = rows[self.rank :: self.world_size]
        steps = np.array_split(own, math.ceil(len(own) / (2 * self.config.batch_size))) if len(own) else []
        self.network.eval()
        parts, loss = [], torch.zeros(1, dtype=torch.float64, device=self.device)
        for step, pixels in zip(steps, prefetched(self.pack.images, steps, self.device), strict=True):
            with self._autocast():
                logits = self.network(network_input(pixels, self.config.image_size)).float()
            labels = torch.from_numpy(self.pack.labels[step]).to(self.device)
            loss += F.cross_entropy(logits, labels, reduction="sum").double()
            parts.append(logits.softmax(dim=1))
        classes = len(self.pack.classes)
        probabilities = torch.cat(parts).cpu().numpy() if parts else np.zeros((0, classes), np.float32)
        confusion = confusion_matrix(self.pack.labels[own], probabilities.argmax(axis=1), classes)
        return Evaluation(
            confusion=self._summed(torch.from_numpy(confusion).to(self.device)).cpu().numpy(),
            loss=self._summed(loss).item() / len(rows),
            probabilities=probabilities,
            labels=self.pack.labels[own],
            subjects=self.pack.subjects[own],
            sources=self.pack.sources[own],
        )

    def model_state(self) -> dict[str, Any]:
        """The model alone, with what is needed to use it: config, class names, region, pack and best metrics."""
        return {
            "config": self.config.to_dict(),
            "classes": self.pack.classes,
            "region": self.pack.info.region,
            "pack_id": self.pack.info.pack_id,
            "metric": self.metric,
            "epoch": self.epoch,
            "model": self.network.state_dict(),
        }

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs. Schedule, sampling, augmentation and dropout follow from config and epoch."""
        return {
            **self.model_state(),
            "optimizer": self.optimizer.state_dict(),
            "best_epoch": self.best_epoch,
            "best_metrics": self.best_metrics,
            "history": self.history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`. Raises CheckpointError where it is of another model, pack or metric."""
        theirs = TrialConfig.from_mapping(state["config"])
        for name in ("backbone", "optimizer", "stem_stride", "last_stride"):
            if getattr(theirs, name) != getattr(self.config, name):
                raise CheckpointError(
                    f"the checkpoint is of {name}={getattr(theirs, name)}, not {getattr(self.config, name)}"
                )
        mine = {"classes": self.pack.classes, "pack_id": self.pack.info.pack_id, "metric": self.metric}
        for name, value in mine.items():
            if state[name] != value:
                raise CheckpointError(f"the checkpoint is of {name} {state[name]!r}, not {value!r}")
        self.network.load_state_dict(state["model"])
        weight_decays = [group["weight_decay"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, weight_decay in zip(self.optimizer.param_groups, weight_decays, strict=True):
            group["weight_decay"] = weight_decay  # this config's, should it differ
        self.epoch, self.best_epoch = state["epoch"], state["best_epoch"]
        self.best_metrics, self.history = dict(state["best_metrics"]), list(state["history"])

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.config.amp and self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def _set_learning_rate(self, share_of_epoch: float) -> float:
        rate = self.config.learning_rate * schedule_factor(self.config, self.epoch - 1 + share_of_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _check_finite(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            raise TrainingDivergedError(
                f"{name} is {value} in epoch {self.epoch}: training diverged; "
                f"a lower learning_rate than {self.config.learning_rate:g} may help"
            )

    def _summed(self, values: Tensor) -> Tensor:
        if self.world_size > 1:
            torch.distributed.all_reduce(values)
        return values


def schedule_factor(config: TrialConfig, epochs_done: float) -> float:
    """Learning rate at a point of the run (in epochs, from 0 to `config.epochs`) as a share of its peak.

    A linear warm-up over `warmup_epochs`, at most half the run, then half a cosine to zero, or constant.
    """
    warmup = min(config.warmup_epochs, config.epochs / 2)
    if epochs_done < warmup:
        return epochs_done / warmup
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (epochs_done - warmup) / (config.epochs - warmup)))


def _dropout_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def _optimizer(config: TrialConfig, network: nn.Module) -> torch.optim.Optimizer:
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True, fused=True)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=config.learning_rate, fused=True)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
