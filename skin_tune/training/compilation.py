"""Compiled backbones: one graph per process, kind of network and batch, which all of its trials share.

The graph takes the network as an argument, so that it is as good for the next trial's. Head, dropout, loss and input
stay outside. What a trial computes is not to depend on those before it: shapes are fixed, nothing in a graph is random,
and a graph belongs to one key and is never made anew.
"""

import copy
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from filelock import FileLock
from torch import Tensor, nn

from skin_tune.config import TrialConfig
from skin_tune.model.network import backbone_features, backbone_input
from skin_tune.storage.files import cache_folder
from skin_tune.text.escaping import one_line
from skin_tune.training.device import autocast

_BACKEND = "inductor"
# Else Inductor tries ways to add up on the device, and takes what was fastest at that moment.
_OPTIONS = {"deterministic": True}

Features = Callable[[nn.Module, Tensor], Tensor]


class GraphKey(NamedTuple):
    """What a graph is made for: all that two networks must have in common to share it."""

    backbone: str
    stem_stride: int
    last_stride: int
    image_size: int
    images: int
    training: bool
    amp: bool
    device: str


class BackboneRandomError(Exception):
    """A backbone draws random numbers."""


_graphs: dict[GraphKey, Features | str] = {}
"""The graphs of this process; a line that says why where one could not be made."""


class Compiler:
    """Computes logits of the networks of one config with compiled backbones, or as they are where that fails."""

    def __init__(self, config: TrialConfig, device: torch.device):
        self._config, self._device = config, device
        self.failure = ""
        """Why a network is not compiled after all, in one line; empty where it is, or has not been tried."""

    def train_logits(self, network: nn.Module, images: Tensor) -> Tensor:
        """Logits [B, K] of a network in training mode; compiled for whole batches, which all but the last are."""
        whole = len(images) == self._config.batch_size
        return self._logits(network, images) if whole else network(images)

    def eval_logits(self, network: nn.Module, images: Tensor) -> Tensor:
        """Logits [B, K] of a network in evaluation mode for up to `eval_images` images; without gradients."""
        missing = self.eval_images - len(images)
        padded = torch.cat([images, images.new_zeros(missing, *images.shape[1:])]) if missing else images
        with _without_gradients(network):
            return self._logits(network, padded)[: len(images)]

    @property
    def eval_images(self) -> int:
        """Images of each evaluation batch."""
        return 2 * self._config.batch_size

    def _logits(self, network: nn.Module, images: Tensor) -> Tensor:
        key = self._key(network, images)
        if key not in _graphs:
            _graphs[key] = self._made(key, network, images)
        graph = _graphs[key]
        if isinstance(graph, str):
            self.failure = graph
            return network(images)
        try:
            features = graph(network, backbone_input(network, images))
        except torch._dynamo.exc.FailOnRecompileLimitHit as error:  # it is not like the network the graph was made for
            _graphs[key] = self.failure = one_line(error)
            return network(images)
        head: nn.Module = network.get_submodule("fc")
        return head(features)

    def _key(self, network: nn.Module, images: Tensor) -> GraphKey:
        config = self._config
        return GraphKey(
            config.backbone,
            config.stem_stride,
            config.last_stride,
            config.image_size,
            len(images),
            network.training,
            config.amp,
            str(self._device),
        )

    def _made(self, key: GraphKey, network: nn.Module, images: Tensor) -> Features | str:
        """A new graph, tried out forwards and backwards on a copy; what went wrong, in one line, where that fails."""
        try:
            with _cache_of_node(key), torch.random.fork_rng([self._device] if self._device.type == "cuda" else []):
                compile: Any = torch.compile  # its annotations lack the last two
                graph: Features = compile(
                    backbone_features,
                    fullgraph=True,
                    dynamic=False,
                    backend=_BACKEND,
                    options=dict(_OPTIONS) if _BACKEND == "inductor" else None,
                    isolate_recompiles=True,
                    recompile_limit=1,
                )
                self._try_out(graph, network, images)
                before = _random_state(self._device)
                self._try_out(graph, network, images)  # again: making it may have drawn some
                if not torch.equal(before, _random_state(self._device)):
                    raise BackboneRandomError(f"{key.backbone} draws random numbers as it trains")
        except (torch.OutOfMemoryError, torch.AcceleratorError):
            raise
        except Exception as error:  # a compiler that is not there, a network it cannot read, a cache it cannot write
            return one_line(error)
        return graph

    def _try_out(self, graph: Features, network: nn.Module, images: Tensor) -> None:
        with autocast(self._config, self._device):
            features = graph(copy.deepcopy(network), backbone_input(network, torch.zeros_like(images)))
        if features.requires_grad:
            features.sum().backward()  # type: ignore[no-untyped-call]


@contextmanager
def _without_gradients(network: nn.Module) -> Iterator[None]:
    """No parameter requires gradients in the block, as in a frozen or an averaged network: one graph is for all."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@contextmanager
def _cache_of_node(key: GraphKey) -> Iterator[None]:
    """Make a graph in the block, alone on this machine where it is the first of its kind; later ones find its files."""
    folder = cache_folder() / "compiled"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
    name = hashlib.sha256(repr((key, torch.__version__, _device_name(key))).encode()).hexdigest()[:16]
    made = folder / f"{name}.made"
    with FileLock(folder / f"{name}.lock"):
        if not made.is_file():
            yield
            made.touch()
            return
    yield


def _device_name(key: GraphKey) -> str:
    return torch.cuda.get_device_name(key.device) if key.device.startswith("cuda") else "cpu"


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
