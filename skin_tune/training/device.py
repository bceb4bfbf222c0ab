"""The device a model is trained and evaluated on."""

import contextlib
import platform
from typing import Any

import torch
import torch.distributed

from skin_tune.config import TrialConfig


def best_device() -> torch.device:
    """This machine's GPU if it has one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def hardware(device: torch.device, workers: int = 1) -> str:
    """Name of the hardware, such as ``NVIDIA H100 80GB HBM3`` or ``4 x x86_64 CPU, 8 threads``."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    return f"{workers} x {name}" if workers > 1 else name


def autocast(config: TrialConfig, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """bfloat16 on CUDA where the config asks for it, float32 elsewhere."""
    if config.amp and device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()
