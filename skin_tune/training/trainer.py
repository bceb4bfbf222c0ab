"""The one loop that trains: plain PyTorch, on one device or as one rank of several."""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn

from skin_tune.config import TrialConfig
from skin_tune.data.loading.mixing import by_label, hits
from skin_tune.data.loading.oversampling import EpochPlan
from skin_tune.data.loading.sampling import draws_per_class, plan_epoch
from skin_tune.data.pack.format import Pack
from skin_tune.errors import SkinTuneError
from skin_tune.metrics import grouped_by
from skin_tune.model.distributed_layers import average_buffers, average_gradients, synchronised
from skin_tune.model.losses import build_loss
from skin_tune.model.network import StateDict, backbone_parameters, build_network, dropout_of, load_weights
from skin_tune.model.prior import Floats
from skin_tune.training.batches import training_batches
from skin_tune.training.checkpoint_checks import (
    check_average,
    check_optimizer,
    check_run,
    check_same_run,
    check_tensors,
)
from skin_tune.training.compatibility import check_compatibility, check_metric, train_splits
from skin_tune.training.compilation import Compiler
from skin_tune.training.compile_policy import wants_compiling
from skin_tune.training.device import autocast, hardware
from skin_tune.training.evaluation import Evaluation, evaluate
from skin_tune.training.freezing import freeze_backbone
from skin_tune.training.optimizer import build_optimizer, schedule_factor, warmup_of
from skin_tune.training.weight_average import WeightAverage

MAX_GRADIENT_NORM = 5.0
"""Gradients are clipped to this norm: far above an ordinary step's, low enough to survive a bad batch."""

_FINITE_CHECK_EVERY = 32
"""Steps between looks at the loss: each look makes a GPU wait for its queue to empty."""


class TrainingDivergedError(SkinTuneError):
    """A loss or the selection metric is no longer finite."""

    exit_code = 1


class Trainer:
    """Trains one config on one pack.

    `weights` is a state dict from `load_weights`, loaded here if the config asks for one and none is given; an empty
    one starts at random, as for a checkpoint that is about to be loaded. `metric` is what the best epoch is chosen by,
    among those after the warm-up once there are some.
    `include_val` trains on the validation images, too: nothing is left to validate on, and the last epoch counts as
    the best, as it does with `last_counts`. With `world_size` > 1 every rank holds a Trainer, and gradients, losses
    and confusion matrices are summed over torch.distributed's default group. `compiling_pays` is what `compile=auto`
    goes by.
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
        include_val: bool = False,
        last_counts: bool = False,
        weights: StateDict | None = None,
        compiling_pays: bool = False,
    ):
        check_compatibility(config, pack, world_size, include_val=include_val)
        check_metric(metric, None if last_counts or include_val else pack)
        self.config, self.pack, self.metric, self.include_val = config, pack, metric, include_val
        self.last_counts = last_counts or include_val
        self.device, self.rank, self.world_size = torch.device(device), rank, world_size
        self.epoch = 0
        self.best_epoch = 0
        self.best_metrics: dict[str, float] = {}
        self.history: list[dict[str, float]] = []
        self.validation: Evaluation | None = None
        """Evaluation of the last epoch, if that was run here."""

        self.train_rows = pack.indices(*train_splits(include_val))
        self.train_labels = pack.labels[self.train_rows]
        # Taken before oversampling: counts of a balanced stream would turn the class-balanced loss off.
        original_counts = pack.class_counts(*train_splits(include_val))
        self.targets = draws_per_class(config, original_counts)
        self.loss = build_loss(config, original_counts, self.targets).to(self.device)

        torch.manual_seed(config.seed)
        if weights is None:
            weights = load_weights(config.weights, config.backbone)
        network = build_network(config, len(pack.classes), weights or None)
        if world_size > 1 and config.sync_batchnorm:
            network = synchronised(network, self.device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.dropout = dropout_of(self.network)
        self.backbone = backbone_parameters(self.network)
        self.model: nn.Module = self.network
        if world_size > 1:
            # Buffers are the same on all ranks already, or made so at the end of each epoch.
            self.model = nn.parallel.DistributedDataParallel(self.network, forward_sync_buffers=False)
        self.optimizer = build_optimizer(config, self.network)
        compiled = wants_compiling(config, on_gpu=self.on_gpu, workers=world_size, pays=compiling_pays)
        self.compiler = Compiler(config, self.device) if compiled else None
        self.average = WeightAverage(self.network, config.ema_decay) if config.ema_decay else None
        if self.on_gpu:
            torch.backends.cudnn.deterministic = True  # the same seed, pack and machine give the same numbers

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def hardware(self) -> str:
        """Name of the hardware, and whether networks are compiled for it."""
        name = hardware(self.device, self.world_size)
        return f"{name}, compiled" if self.compiler is not None and not self.compiler.failure else name

    @property
    def not_compiled(self) -> str:
        """Why a network that was to be compiled is not, in one line; empty for all others."""
        if self.config.compile == "on" and self.world_size > 1:
            return "that takes one worker a trial"
        return self.compiler.failure if self.compiler is not None else ""

    @property
    def kept_network(self) -> nn.Module:
        """The network that is validated and kept: the moving average where there is one."""
        return self.network if self.average is None else self.average.network

    @property
    def finished(self) -> bool:
        return self.epoch >= self.config.epochs

    @property
    def prior(self) -> Floats:
        """The prior [K] that the network is trained under: draws per class times class weight, as targets see it."""
        return self.loss.prior(self.targets)

    @property
    def improved(self) -> bool:
        """Whether the last epoch is the best so far."""
        return self.epoch > 0 and self.best_epoch == self.epoch

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch, validate, return the metrics.

        Raises TrainingDivergedError where one is not finite, PackChangedError where the pack is not what it was.
        """
        self.pack.check()
        started = time.perf_counter()
        self.epoch += 1
        plan = plan_epoch(self.config, self.train_labels, self.targets, self.epoch)
        loss_sum, hit_sum, learning_rate = self._train(plan)
        trained = time.perf_counter() - started

        metrics = {
            "epoch": self.epoch,
            "train_loss": loss_sum / len(plan),
            "train_acc": hit_sum / len(plan),
            **({} if self.include_val else self._validate()),
            "learning_rate": learning_rate,
            "images": len(plan),
            "epoch_seconds": time.perf_counter() - started,
            "images_per_second": len(plan) / trained,
        }
        self.pack.check()
        if self._beats_best(metrics):
            self.best_epoch, self.best_metrics = self.epoch, metrics
        self.history.append(metrics)
        return metrics

    def _train(self, plan: EpochPlan) -> tuple[float, float, float]:
        """Train on the draws of an epoch: the sum of losses, the draws that were right, the last learning rate."""
        # Reseeded every epoch, so that a resumed run draws the same dropout as an unbroken one.
        torch.manual_seed(_dropout_seed(self.config.seed, self.epoch))
        self.loss.begin_epoch(self.epoch)
        self.model.train()
        frozen = self.epoch <= self.config.freeze_epochs
        freeze_backbone(self.network, self.backbone, frozen)
        # Not the wrapped one while frozen: it would wait for gradients of the backbone.
        model: Callable[[Tensor], Tensor] = self.network if frozen else self.model
        if self.compiler is not None and not frozen:
            model = partial(self.compiler.train_logits, self.network)
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)  # loss, hits
        stream = training_batches(
            self.config,
            self.pack,
            self.train_rows,
            plan,
            self.epoch,
            self.device,
            rank=self.rank,
            world_size=self.world_size,
            whole=self.compiler is not None,
        )
        for number, batch in enumerate(stream):
            learning_rate = self._set_learning_rate(batch.share_of_epoch)
            self.dropout.share(self.rank, self.world_size, batch.draws)
            with autocast(self.config, self.device):
                logits = model(batch.images)
            losses = by_label(self.loss, logits, batch.labels, batch.share)
            # Averaging over ranks, as DDP does, then gives the mean over the global batch, whatever each rank's share.
            (losses.sum() * self.world_size / batch.draws).backward()  # type: ignore[no-untyped-call]
            if frozen and self.world_size > 1:
                average_gradients(self.network)
            nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
            self.optimizer.step()
            if self.average is not None:
                self.average.update()
            self.optimizer.zero_grad(set_to_none=True)
            hit = by_label(hits, logits, batch.labels, batch.share)
            sums += torch.stack([losses.detach().sum().double(), hit.sum()])
            if number % _FINITE_CHECK_EVERY == 0:
                self._check_finite("train_loss", self._summed(sums[0].clone()).item())  # all ranks end, or none
        if self.world_size > 1 and not self.config.sync_batchnorm and not frozen:
            average_buffers(self.network)
            if self.average is not None:
                average_buffers(self.average.network)
        loss_sum, hit_sum = self._summed(sums).tolist()
        self._check_finite("train_loss", loss_sum)
        return loss_sum, hit_sum, learning_rate

    def _validate(self) -> dict[str, float]:
        self.validation = validation = self.evaluate("val")
        self._check_finite("val_loss", validation.loss)
        scores = validation.scores(self.pack.classes, self.pack.info.ordinal, grouped_by(self.metric))
        metrics = {"val_loss": validation.loss, **{f"val_{name}": value for name, value in scores.items()}}
        if self.metric in metrics:  # people of a fold may be too few for groups, but choose no epoch
            self._check_finite(self.metric, metrics[self.metric])
        return metrics

    def _beats_best(self, metrics: dict[str, float]) -> bool:
        if not self.best_metrics or self.last_counts:
            return True
        # What an epoch of the warm-up scores is luck, which is plentiful where few people are validated.
        if self.best_epoch <= warmup_of(self.config) < self.epoch:
            return True
        return metrics[self.metric] > self.best_metrics[self.metric]

    def evaluate(self, split: str) -> Evaluation:
        """Predict one split with `kept_network`; all ranks call it. Raises ConfigError where the split is empty."""
        return evaluate(
            self.kept_network,
            self.pack,
            split,
            self.config,
            self.device,
            prior=self.prior,
            rank=self.rank,
            world_size=self.world_size,
            compiler=self.compiler,
        )

    def model_state(self) -> dict[str, Any]:
        """The model alone, with what is needed to use it: config, classes, region and pack, prior and decision."""
        return {
            "config": self.config.to_dict(),
            "classes": self.pack.classes,
            "ordinal": self.pack.info.ordinal,
            "region": self.pack.info.region,
            "pack_id": self.pack.info.pack_id,
            "pack_size": self.pack.info.size,
            "metric": self.metric,
            "prior": self.prior.tolist(),
            "epoch": self.epoch,
            "model": self.kept_network.state_dict(),
        }

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs. Schedule, sampling, augmentation and dropout follow from config and epoch."""
        average = self.average
        return {
            **self.model_state(),
            **({} if average is None else {"raw_model": self.network.state_dict(), "ema_steps": average.steps}),
            "compiled": self.compiler is not None,
            "optimizer": self.optimizer.state_dict(),
            "best_epoch": self.best_epoch,
            "best_metrics": self.best_metrics,
            "history": self.history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict`. Raises CheckpointError where it is none, or of another model, pack or metric."""
        check_run(state)
        check_same_run(state, self.config, self.pack.info, self.metric)
        check_tensors(state["model"], self.network)
        check_optimizer(state["optimizer"], self.optimizer)
        if self.average is not None:
            check_average(state, self.network)
            self.average.steps = state["ema_steps"]
            self.network.load_state_dict(state["raw_model"])
        self.kept_network.load_state_dict(state["model"])
        own = self.optimizer.state_dict()["param_groups"]  # of this config: weight decay may differ
        self.optimizer.load_state_dict({"state": state["optimizer"]["state"], "param_groups": own})
        if self.config.compile == "auto" and self.on_gpu and self.world_size == 1:  # as it began, whatever pays by now
            self.compiler = Compiler(self.config, self.device) if state.get("compiled") else None
        self.epoch, self.best_epoch = state["epoch"], state["best_epoch"]
        self.loss.begin_epoch(self.epoch)
        self.best_metrics, self.history = dict(state["best_metrics"]), list(state["history"])

    def _set_learning_rate(self, share_of_epoch: float) -> float:
        rate = self.config.learning_rate * schedule_factor(self.config, self.epoch - 1 + share_of_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
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


def _dropout_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
