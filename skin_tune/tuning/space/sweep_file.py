"""A search space as a wandb sweep file, read and checked before anything starts.

Schema: https://docs.wandb.ai/models/sweeps/sweep-config-keys. Keys that speak to wandb's own agent alone (UNUSED_KEYS)
are allowed and not used here; every other key counts, and one that is not known is an error. Unlike in wandb, running
trials stop once `metric.target` is reached, and hyperband counts its epochs from the end of the warm-up.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from skin_tune.config import FIELDS, TrialConfig, check_name
from skin_tune.errors import ConfigError, SpaceError
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.storage.files import Location
from skin_tune.tuning.space import distributions, validation
from skin_tune.tuning.space.misread import check_meant, exponent_hint
from skin_tune.tuning.space.parameters import LISTED, EarlyTerminate, Parameter, Space, Value
from skin_tune.tuning.space.sweep_yaml import read_yaml

METHODS = ("bayes", "random", "grid")
USED_KEYS = ("method", "metric", "parameters", "early_terminate", "run_cap")
UNUSED_KEYS = (
    *("program", "command", "name", "description", "project", "entity"),
    *("apiVersion", "kind", "controller", "job", "image_uri"),
)
_TAIL = 0.001  # share of draws on either side that may be illegal where a distribution has no ends


def load_space(path: Location, overrides: Mapping[str, Any] | None = None) -> Space:
    """The space in the wandb sweep file at `path`; each of `overrides` (name: value) becomes a constant.

    Every value that can be drawn from a list or between min and max is one TrialConfig accepts. normal, log_normal and
    beta have no ends: they are refused if their 0.1% or 99.9% quantile is illegal; a rarer illegal draw is left for its
    trial to fail on. Raises SpaceError, in one line that names the file, the key, the value and the rule.
    """
    try:
        return _space(read_yaml(path), overrides or {})
    except (SpaceError, ConfigError) as error:
        raise SpaceError(" ".join(f"{path}: {error}".split())) from None


def space_of(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> Space:
    """As `load_space`, of what such a file holds: a dict as `wandb.sweep` takes it."""
    try:
        return _space(dict(content), overrides)
    except (SpaceError, ConfigError) as error:
        raise SpaceError(" ".join(f"space: {error}".split())) from None


def with_constants(space: Space, values: Mapping[str, Any]) -> Space:
    """`space` with each of `values` (name: value) as a constant, as `load_space` has its overrides.

    Raises SpaceError for one that TrialConfig does not accept.
    """
    constants = {name: _parameter(name, {"value": value}) for name, value in values.items()}
    kept = [constants.pop(parameter.name, parameter) for parameter in space.parameters]
    return replace(space, parameters=(*kept, *constants.values()))


def _space(content: Any, overrides: Mapping[str, Any]) -> Space:
    top = validation.mapping("a space", content)
    validation.keys("", top, (*USED_KEYS, *UNUSED_KEYS))
    method = validation.choice("method", validation.required("", top, "method"), METHODS)
    specs = dict(validation.mapping("parameters", validation.required("", top, "parameters")))
    if not specs:
        raise SpaceError("parameters={} names no hyper-parameter")
    specs |= {name: {"value": value} for name, value in overrides.items()}
    parameters = tuple(_parameter(name, spec) for name, spec in specs.items())
    if method == "grid":
        for parameter in parameters:
            parameter.grid()
    metric, target = _metric(top["metric"]) if "metric" in top else (SELECTION_METRICS[0], None)
    return Space(
        method=method,
        metric=metric,
        parameters=parameters,
        early_terminate=_early_terminate(top["early_terminate"]) if "early_terminate" in top else None,
        run_cap=validation.count("run_cap", top["run_cap"]) if "run_cap" in top else None,
        target=target,
        defaults_first=method != "grid",
    ).judged_after_warmup()


def _parameter(name: Any, spec: Any) -> Parameter:
    where = f"parameters.{name}"
    spec = validation.mapping(where, spec)
    if "parameters" in spec:
        raise SpaceError(f"{where}.parameters: nested parameters are not supported, since a config is flat")
    try:
        check_name(str(name))
    except ConfigError as error:
        raise SpaceError(f"{where}: {error}") from None
    distribution = _distribution(where, spec)
    if distribution == "constant":
        validation.keys(f"{where}.", spec, ("distribution", "value"))
        value = _legal(f"{where}.value", name, validation.required(f"{where}.", spec, "value"))
        return Parameter(name, distribution, values=(value,))
    if distribution in LISTED:
        return _listed(where, name, distribution, spec)
    return _numeric(where, name, distribution, spec)


def _distribution(where: str, spec: Mapping[str, Any]) -> str:
    """The distribution given, else the one wandb implies."""
    if "distribution" in spec:
        known = ("constant", *LISTED, *distributions.SHAPE_KEYS)
        return validation.choice(f"{where}.distribution", spec["distribution"], known)
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "min" in spec or "max" in spec:
        ends = [validation.number(f"{where}.{key}", spec[key]) for key in ("min", "max") if key in spec]
        return "int_uniform" if all(isinstance(end, int) for end in ends) else "uniform"
    known = ("value", "values", "min", "max", "distribution")
    validation.keys(f"{where}.", spec, known)
    raise SpaceError(f"{where}={spec} has none of {', '.join(known)}")


def _listed(where: str, name: str, distribution: str, spec: Mapping[str, Any]) -> Parameter:
    validation.keys(f"{where}.", spec, ("distribution", "values", "probabilities"))
    listed = validation.listing(f"{where}.values", validation.required(f"{where}.", spec, "values"))
    values = tuple(_legal(f"{where}.values", name, value) for value in listed)
    for i, value in enumerate(values):
        if value in values[:i]:
            raise SpaceError(f"{where}.values: {value!r} is listed twice; weigh values with probabilities")
    if distribution == "categorical" and "probabilities" not in spec:
        return Parameter(name, distribution, values)
    key = f"{where}.probabilities"
    shares = tuple(
        float(validation.number(key, p))
        for p in validation.listing(key, validation.required(f"{where}.", spec, "probabilities"))
    )
    if len(shares) != len(values):
        raise SpaceError(f"{key}: {len(shares)} probabilities are given for {len(values)} values")
    if min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise SpaceError(f"{key}: {list(shares)} are not >= 0 with sum 1")
    return Parameter(name, distribution, values, shares)


def _numeric(where: str, name: str, distribution: str, spec: Mapping[str, Any]) -> Parameter:
    quantised = distribution.startswith("q_")
    keys = (*distributions.SHAPE_KEYS[distribution], *(("q",) if quantised else ()))
    validation.keys(f"{where}.", spec, ("distribution", *keys))
    filled = {**distributions.DEFAULTS, **spec}
    first, second, *quantum = (
        validation.number(f"{where}.{key}", validation.required(f"{where}.", filled, key)) for key in keys
    )
    q = quantum[0] if quantised else 1.0
    if FIELDS[name] not in (int, float):
        raise SpaceError(f"{where}: {distribution} draws numbers but {name} is not one; list its values under 'values'")
    if FIELDS[name] is int and distribution != "int_uniform" and not (quantised and float(q).is_integer()):
        raise SpaceError(
            f"{where}: {distribution} draws fractions but {name} is a whole number;"
            " use int_uniform, values, or a q_ distribution with a whole q"
        )
    try:
        distributions.check_shape(distribution, first, second, q)
        check_meant(distribution, first, second)
    except SpaceError as error:
        raise SpaceError(f"{where}: {error}") from None
    parameter = Parameter(name, distribution, shape=(first, second), q=q)
    _check_draws(f"{where}: {distribution} with {keys[0]}={first:g}, {keys[1]}={second:g}", parameter)
    return parameter


def _check_draws(what: str, parameter: Parameter) -> None:
    """The lowest and the highest draw, or nearly so where there are no ends, are legal and differ."""
    ends = (0.0, 1.0) if distributions.is_bounded(parameter.distribution) else (_TAIL, 1 - _TAIL)
    low, high = (parameter.at(u) for u in ends)
    try:
        for draw in (low, high):
            _legal(f"{what} reaches", parameter.name, draw)
    except SpaceError as error:
        raise SpaceError(f"{error}{exponent_hint(parameter.distribution, parameter.shape[0])}") from None
    if low == high:
        step = f" in steps of q={parameter.q:g}" if parameter.distribution.startswith("q_") else ""
        raise SpaceError(f"{what}{step} draws nothing but {low:g}; give a value, or a wider range")


def _legal(where: str, name: str, value: Any) -> Value:
    """`value` as TrialConfig writes it, or SpaceError with the rule it breaks."""
    for item in value if isinstance(value, list | tuple) else [value]:
        if isinstance(item, list | dict | set):
            raise SpaceError(f"{where}: {validation.shown(item)} is not a plain value")
    try:
        return TrialConfig.from_mapping({name: value}).to_dict()[name]
    except ConfigError as error:
        raise SpaceError(f"{where}: {error}") from None


def _metric(spec: Any) -> tuple[str, float | None]:
    """Name and target."""
    spec = validation.mapping("metric", spec)
    validation.keys("metric.", spec, ("name", "goal", "target"))
    name = validation.choice("metric.name", validation.required("metric.", spec, "name"), SELECTION_METRICS)
    if "goal" not in spec:
        raise SpaceError(f"metric.goal is missing, which wandb takes for minimize; {name} needs 'goal: maximize'")
    if spec["goal"] != "maximize":
        raise SpaceError(f"metric.goal={validation.shown(spec['goal'])} is not maximize, the only goal of {name}")
    return name, _target(name, spec["target"]) if "target" in spec else None


def _target(name: str, value: Any) -> float:
    target = float(validation.number("metric.target", value))
    if not 0 < target <= 1:
        raise SpaceError(f"metric.target={target:g} is outside (0, 1], where {name} lies; give a share such as 0.8")
    return target


def _early_terminate(spec: Any) -> EarlyTerminate:
    spec = validation.mapping("early_terminate", spec)
    validation.keys("early_terminate.", spec, ("type", "min_iter", "max_iter", "s", "eta", "strict"))
    validation.choice("early_terminate.type", validation.required("early_terminate.", spec, "type"), ("hyperband",))
    if spec.get("strict", False) is not False:
        raise SpaceError(f"early_terminate.strict={validation.shown(spec['strict'])} is not supported; leave it out")
    eta = validation.number("early_terminate.eta", spec.get("eta", 3))
    if eta <= 1:
        raise SpaceError(f"early_terminate.eta={eta:g} is not above 1")
    counts = {
        key: validation.count(f"early_terminate.{key}", spec[key])
        for key in ("min_iter", "max_iter", "s")
        if key in spec
    }
    max_iter = counts.get("max_iter")
    if "s" not in counts:
        if "min_iter" not in counts:
            raise SpaceError("early_terminate.min_iter is missing; give min_iter, or max_iter with s")
        min_iter = counts["min_iter"]
    elif max_iter is None or "min_iter" in counts:
        raise SpaceError(f"early_terminate.s={counts['s']} goes with max_iter and without min_iter")
    else:
        min_iter = _first_rung(max_iter, counts["s"], eta)
    if max_iter is not None and min_iter > max_iter:
        raise SpaceError(f"early_terminate.min_iter={min_iter} is above max_iter={max_iter}")
    return EarlyTerminate(min_iter, eta, max_iter)


def _first_rung(max_iter: int, s: int, eta: float) -> int:
    """The lowest of max_iter / eta, ..., max_iter / eta**s that is at least 1, rounded down, as wandb has it."""
    rung = max_iter / eta
    if rung < 1:
        raise SpaceError(f"early_terminate.max_iter={max_iter} is below eta={eta:g}, so no trial could be stopped")
    for _ in range(s - 1):
        if rung / eta < 1:
            break
        rung /= eta
    return int(rung)
