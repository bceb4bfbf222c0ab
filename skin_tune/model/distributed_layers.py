"""Layers that make several workers train as one would: they see the whole global batch."""

from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn


class SharedDropout(nn.Dropout):
    """Dropout whose mask is drawn for the global batch, of which each rank takes the rows it holds.

    The ranks must draw from equal random states. `share` tells it, before each step, what the rank holds.
    """

    rank, world_size, rows = 0, 1, 0

    def share(self, rank: int, world_size: int, rows: int) -> None:
        """The next input is ``[rank::world_size]`` of a global batch of `rows`."""
        self.rank, self.world_size, self.rows = rank, world_size, rows

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, F], with a share `p` of them zeroed and the others scaled up while training."""
        if not self.training or self.p == 0:
            return features
        mask = torch.rand(self.rows or len(features), features.shape[1], device=features.device) >= self.p
        return features * mask[self.rank :: self.world_size] / (1 - self.p)


class _SumOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _sum_over_ranks(gradient)  # every rank's loss depends on the sum


def _sum_over_ranks(values: Tensor) -> Tensor:
    total: Tensor = _SumOverRanks.apply(values)
    return total


class CpuSyncBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the inputs of all ranks on CPUs, where nn.SyncBatchNorm does not run."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise [B, C, H, W], B of this rank's own; running statistics are those of all ranks."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        # Two passes: the difference of mean square and squared mean would lose the small variances.
        count = _sum_over_ranks(torch.tensor(float(input.numel() // input.shape[1])))
        mean = _sum_over_ranks(input.sum(dim=(0, 2, 3))) / count
        centred = input - mean.view(1, -1, 1, 1)
        variance = _sum_over_ranks(centred.square().sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)


class CpuSyncBatchNormAct(CpuSyncBatchNorm):
    """`CpuSyncBatchNorm` with what timm's BatchNormAct2d does after it: dropout and an activation of its own."""

    drop: nn.Module
    act: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W], normalised and activated."""
        activated: Tensor = self.act(self.drop(super().forward(input)))
        return activated


def synchronised(network: nn.Module, device: torch.device) -> nn.Module:
    """`network` with batch normalisation over all ranks: PyTorch's own on GPUs, CpuSyncBatchNorm on CPUs."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    with_act = [norm for norm in norms if hasattr(norm, "act") and hasattr(norm, "drop")]
    if device.type == "cuda":
        if with_act:  # PyTorch would take their activations away
            from timm.layers import convert_sync_batchnorm

            with_timms: nn.Module = convert_sync_batchnorm(network)
            return with_timms
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return converted
    for module in norms:  # same parameters and buffers, another forward
        if module in with_act:
            module.__class__ = CpuSyncBatchNormAct
        elif type(module) is nn.BatchNorm2d:
            module.__class__ = CpuSyncBatchNorm
    return network


def average_buffers(network: nn.Module) -> None:
    """Make every rank's running statistics the mean over ranks, so that all evaluate the same model."""
    for module in network.modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue  # other buffers are constants, which an average over ranks could round
        for buffer in module.buffers(recurse=False):
            if buffer.is_floating_point():
                torch.distributed.all_reduce(buffer)
                buffer.div_(torch.distributed.get_world_size())


def average_gradients(network: nn.Module) -> None:
    """Make every rank's gradients the mean over ranks, as DistributedDataParallel does of a whole network's."""
    for parameter in network.parameters():
        if parameter.grad is not None:
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad.div_(torch.distributed.get_world_size())
