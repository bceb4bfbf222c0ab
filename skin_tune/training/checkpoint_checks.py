"""Whether a checkpoint holds what it should: it may come from anybody.

Every problem is a CheckpointError that names the entry and what it holds; who has the file adds its name.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skin_tune.config import TrialConfig
from skin_tune.data.pack.layout.field_rules import is_whole, wrong_classes, wrong_id, wrong_region, wrong_size
from skin_tune.data.pack.layout.info import PackInfo
from skin_tune.errors import CheckpointError, ConfigError, ExperimentError
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.model.prior import Floats
from skin_tune.storage.run_paths import check_experiment_name
from skin_tune.text.escaping import has_control, shown

OF_A_MODEL = ("config", "classes", "region", "pack_id", "model")
OF_A_RUN = (*OF_A_MODEL, "metric", "epoch", "best_epoch", "best_metrics", "history", "optimizer")
"""Entries that a model, and a run that is to go on, cannot do without."""


def check_entries(content: Mapping[Any, Any], needed: tuple[str, ...] = ()) -> None:
    """Raise CheckpointError where an entry is not what it should be, or one of `needed` is not there."""
    for name, wrong in _WRONG.items():
        if name in content and (problem := wrong(content[name])):
            raise CheckpointError(problem)
    for member in content.get("members", ()):
        check_entries(member, needed or OF_A_MODEL)
    if missing := [name for name in needed if name not in content]:
        raise CheckpointError(f"it has no {missing[0]}")


def check_run(content: Mapping[Any, Any]) -> None:
    """Raise CheckpointError where the entries of a run that is to go on are not there or contradict one another."""
    check_entries(content, OF_A_RUN)
    epoch, best, metrics = content["epoch"], content["best_epoch"], content["best_metrics"]
    if [row.get("epoch") for row in content["history"]] != list(range(1, epoch + 1)):
        raise CheckpointError(f"its history is of {len(content['history'])} epochs, and it is of epoch {epoch}")
    if not min(epoch, 1) <= best <= epoch or metrics.get("epoch", 0) != best:
        raise CheckpointError(f"best_epoch {best} is none of its {epoch} epochs, or best_metrics are of another")
    if any(name.startswith("val_") for name in metrics) and content["metric"] not in metrics:
        raise CheckpointError(f"best_metrics lack {content['metric']}")


def check_same_run(content: Mapping[Any, Any], config: TrialConfig, pack: PackInfo, metric: str) -> None:
    """Raise CheckpointError unless a run was one of this network and optimiser, on this pack, by this metric."""
    theirs = TrialConfig.from_stored(content["config"])
    for name in ("backbone", "optimizer", "freeze_epochs", "layer_decay", "stem_stride", "last_stride"):
        if getattr(theirs, name) != getattr(config, name):
            raise CheckpointError(f"the checkpoint is of {name}={getattr(theirs, name)}, not {getattr(config, name)}")
    if (theirs.ema_decay > 0) != (config.ema_decay > 0):
        raise CheckpointError(f"the checkpoint is of ema_decay={theirs.ema_decay:g}, not {config.ema_decay:g}")
    if is_ordinal(content) != pack.ordinal:
        raise CheckpointError(
            f"the checkpoint is of {kind_of(is_ordinal(content))} classes, not of {kind_of(pack.ordinal)} ones"
        )
    for name, value in {"classes": pack.classes, "pack_id": pack.pack_id, "metric": metric}.items():
        if content[name] != value:
            raise CheckpointError(f"the checkpoint is of {name} {content[name]!r}, not {value!r}")


def is_ordinal(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's classes have an order; those of older versions, which do not say, have one."""
    return bool(content.get("ordinal", True))


def prior_of(content: Mapping[str, Any]) -> Floats | None:
    """The prior [K] a checkpoint's model was trained under; None in those of older versions, which do not say.

    Raises CheckpointError for one of another number of classes.
    """
    if "prior" not in content:
        return None
    prior, classes = content["prior"], len(content["classes"])
    if len(prior) != classes:
        raise CheckpointError(f"prior is of {len(prior)} classes, of which it has {classes}")
    return np.array(prior)


def kind_of(ordinal: bool) -> str:
    """The word for classes with or without an order."""
    return "ordinal" if ordinal else "nominal"


def check_tensors(state: Any, network: nn.Module, entry: str = "model") -> None:
    """Raise CheckpointError unless `state`, the entry of that name, has the tensors of `network`, each like its own."""
    own = network.state_dict()
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{entry} is {shown(state)}, not tensors by name")
    if strange := [name for name in (*own, *state) if name not in own or name not in state]:
        there = "has no" if strange[0] in own else "has a"
        raise CheckpointError(f"{entry} {there} tensor {shown(strange[0])}, unlike a model of its config")
    for name, tensor in own.items():
        _check_like(f"{entry}: {name}", state[name], tensor)


def check_average(content: Mapping[Any, Any], network: nn.Module) -> None:
    """Raise CheckpointError unless a run that keeps an average of its weights has the weights themselves, too."""
    check_entries(content, ("raw_model", "ema_steps"))
    check_tensors(content["raw_model"], network, "raw_model")


def check_optimizer(state: Any, optimizer: Optimizer) -> None:
    """Raise CheckpointError unless `state` is one that `optimizer` can have."""
    values = state.get("state") if isinstance(state, Mapping) else None
    groups = state.get("param_groups") if isinstance(state, Mapping) else None
    if not isinstance(values, Mapping) or not isinstance(groups, list):
        raise CheckpointError(f"optimizer is {shown(state)}, not the state of one")
    numbers = [group["params"] for group in optimizer.state_dict()["param_groups"]]
    if [group.get("params") if isinstance(group, Mapping) else None for group in groups] != numbers:
        raise CheckpointError("optimizer is of other parameters than the model's")
    parameters = dict(zip(chain(*numbers), chain(*(group["params"] for group in optimizer.param_groups)), strict=True))
    scalar_by_name = _state_of(type(optimizer), optimizer.defaults)
    for number, own in values.items():
        if number not in parameters or not isinstance(own, Mapping) or set(own) != set(scalar_by_name):
            raise CheckpointError(
                f"optimizer has a state of {shown(number)} that is none of {', '.join(sorted(scalar_by_name))}"
            )
        for name, value in own.items():
            wanted = torch.zeros(()) if scalar_by_name[name] else parameters[number]
            _check_like(f"optimizer: {name} of parameter {number}", value, wanted)


def _state_of(kind: type[Optimizer], defaults: Mapping[str, Any]) -> dict[str, bool]:
    """State of an optimiser for each parameter: names, and whether it is one number; found by taking a step."""
    known = inspect.signature(kind).parameters
    probe = torch.zeros(2, requires_grad=True)
    probe.grad = torch.zeros(2)
    optimizer: Any = kind([probe], **{name: value for name, value in defaults.items() if name in known})
    optimizer.step()
    return {name: value.ndim == 0 for name, value in optimizer.state[probe].items()}


def _check_like(name: str, found: Any, wanted: Tensor) -> None:
    if not isinstance(found, Tensor):
        raise CheckpointError(f"{name[:160]} is {shown(found)}, not a tensor")
    plain = found.device.type == "cpu" and found.layout == wanted.layout
    if not plain or found.shape != wanted.shape or found.dtype != wanted.dtype:
        raise CheckpointError(
            f"{name[:160]} is a tensor {list(found.shape)[:8]} of {found.dtype}, "
            f"not {list(wanted.shape)} of {wanted.dtype} as its config says"
        )


def _wrong_config(value: Any) -> str:
    plain = isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(each, str | int | float | None) for name, each in value.items()
    )
    if not plain:
        return f"config is {shown(value)}, not hyper-parameters by name"
    try:
        TrialConfig.from_stored(value)
    except ConfigError as error:
        return f"config: {error}"
    except ValueError:  # of a number too long to be told
        return f"config {shown(value)} is none"
    return ""


def _wrong_metrics(name: str, value: Any) -> str:
    if not isinstance(value, dict) or not is_whole(value.get("epoch"), 1):
        return f"{name} is {shown(value)}, not the metrics of an epoch"
    for metric, figure in value.items():
        if not isinstance(metric, str) or has_control(metric) or not metric.startswith(_METRICS):
            return f"{name}: {shown(metric)} is no metric"
        if not is_whole(figure, -_MOST, _MOST) and not isinstance(figure, float):
            return f"{name}: {metric}={shown(figure)} is not a number"
    return ""


_METRICS = ("train_", "val_", "epoch", "learning_rate", "images")
_MOST = 2**53
"""A whole number beyond it is no float."""


def _wrong_history(value: Any) -> str:
    if not isinstance(value, list):
        return f"history is {shown(value)}, not a list of epochs"
    return next((problem for row in value if (problem := _wrong_metrics("history", row))), "")


def _wrong_name(value: Any) -> str:
    try:
        check_experiment_name(value)
    except ExperimentError as error:
        return str(error)
    return ""


def _wrong_prior(value: Any) -> str:
    shares = value if isinstance(value, list) else []
    numbers = all(isinstance(share, float) and 0 <= share <= 1 for share in shares)  # NaN is not
    fits = numbers and math.isclose(sum(shares), 1, rel_tol=1e-6)
    return "" if fits else f"prior {shown(value)} is not a share of each class"


def _wrong_members(value: Any) -> str:
    whole = isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)
    if not whole or any("members" in each for each in value):
        return f"members is {shown(value)}, not a list of models"
    first = value[0]
    for each in value[1:]:
        for name in ("classes", "ordinal", "region", "pack_id", "pack_size"):
            if each.get(name) != first.get(name):
                return f"members are of {name} {shown(first.get(name))} and {shown(each.get(name))}"
    return ""


def _wrong_count(name: str) -> Callable[[Any], str]:
    return lambda value: "" if is_whole(value) else f"{name} {shown(value)} is not a whole number"


def _wrong_flag(name: str) -> Callable[[Any], str]:
    return lambda value: "" if isinstance(value, bool) else f"{name} {shown(value)} is neither true nor false"


def _wrong_metric(value: Any) -> str:
    fits = isinstance(value, str) and value in SELECTION_METRICS
    return "" if fits else f"metric {shown(value)} is not one of {', '.join(SELECTION_METRICS)}"


_WRONG: Mapping[str, Callable[[Any], str]] = {
    "config": _wrong_config,
    "classes": wrong_classes,
    "region": wrong_region,
    "ordinal": _wrong_flag("ordinal"),
    "compiled": _wrong_flag("compiled"),
    "pack_id": wrong_id,
    "pack_size": lambda value: wrong_size(value, "pack_size"),
    "metric": _wrong_metric,
    "members": _wrong_members,
    "prior": _wrong_prior,
    "name": _wrong_name,
    "epoch": _wrong_count("epoch"),
    "best_epoch": _wrong_count("best_epoch"),
    "ema_steps": _wrong_count("ema_steps"),
    "best_metrics": lambda value: _wrong_metrics("best_metrics", value) if value != {} else "",
    "history": _wrong_history,
}
"""For each entry a function that says what is wrong, or nothing; tensors are compared with those of the network."""
