"""The search space: a wandb sweep file, read into plain values and checked before anything starts.

Schema: https://docs.wandb.ai/models/sweeps/sweep-config-keys. Keys that speak to wandb's own agent alone (UNUSED_KEYS)
are allowed and not used here; every other key counts, and one that is not known is an error.
"""

import difflib
import itertools
import math
import reprlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from skin_tune.config import FIELDS, TrialConfig, check_name
from skin_tune.errors import ConfigError, SpaceError
from skin_tune.training.metrics import SELECTION_METRICS
from skin_tune.tuning import distributions

METHODS = ("bayes", "random", "grid")
USED_KEYS = ("method", "metric", "parameters", "early_terminate", "run_cap")
UNUSED_KEYS = (
    *("program", "command", "name", "description", "project", "entity"),
    *("apiVersion", "kind", "controller", "job", "image_uri"),
)
LISTED = ("categorical", "categorical_w_probabilities")
_TAIL = 0.001  # share of draws on either side that may be illegal where a distribution has no ends

Value = bool | int | float | str


@dataclass(frozen=True)
class EarlyTerminate:
    """Successive halving: of the trials that reach epoch min_iter * eta**k, the best 1/eta go on."""

    min_iter: int
    """First epoch, from 1, at which trials are stopped."""
    eta: float = 3
    """Reduction factor, > 1."""
    max_iter: int | None = None
    """Epoch after which none is stopped, >= min_iter; None leaves it to the length of a trial."""


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter: a constant, a list of values, or a numeric distribution."""

    name: str
    distribution: str
    """wandb's name, given or implied."""
    values: tuple[Value, ...] = ()
    """The one value of a constant, the values of a categorical, else empty."""
    probabilities: tuple[float, ...] = ()
    """One for each of `values`, summing to 1; empty where all are alike."""
    shape: tuple[float, float] = (0.0, 1.0)
    """(min, max), (mu, sigma) or (a, b) of a numeric distribution, as the file gives them."""
    q: float = 1.0
    """What quantised values are multiples of; other distributions ignore it."""

    @property
    def is_constant(self) -> bool:
        """True when there is nothing to search."""
        return self.distribution == "constant"

    @property
    def choices(self) -> tuple[Value, ...] | None:
        """The values of a categorical without probabilities: unordered, alike in chance. None for all others."""
        return self.values if self.distribution in LISTED and not self.probabilities else None

    def at(self, u: float) -> Value:
        """The quantile function: the value at `u` in [0, 1], in the type its TrialConfig field has."""
        if not 0 <= u <= 1:
            raise ValueError(f"u={u!r} is outside [0, 1]")
        if self.values:
            return self.values[self._index(u)]
        return self._typed(distributions.quantile(self.distribution, *self.shape, self.q, u))

    def unit_of(self, value: Any) -> float | None:
        """A `u` in [0, 1] with ``at(u) == value``, as nearly as floats allow; None for what cannot be drawn."""
        if self.values:
            if value not in self.values:
                return None
            place = self.values.index(value)
            odds = self.probabilities or (1 / len(self.values),) * len(self.values)
            return float(sum(odds[:place]) + odds[place] / 2) if odds[place] else None
        if isinstance(value, str) or value is None or not self.at(0.0) <= value <= self.at(1.0):
            return None
        low, high = 0.0, 1.0
        while low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if self.at(middle) >= value else (middle, high)
        return high

    def grid(self) -> tuple[Value, ...]:
        """Every value there is, for grid search; raises SpaceError where they cannot be listed, as wandb does."""
        if self.values and not self.probabilities:
            return self.values
        if self.distribution in ("int_uniform", "q_uniform"):
            return tuple(map(self._typed, distributions.grid_values(self.distribution, *self.shape, self.q)))
        what = "categorical with probabilities" if self.values else self.distribution
        raise SpaceError(
            f"parameters.{self.name}: method grid cannot enumerate {what};"
            " it takes a value, values without probabilities, int_uniform or q_uniform"
        )

    def _index(self, u: float) -> int:
        if not self.probabilities:
            return min(int(u * len(self.values)), len(self.values) - 1)
        last = max(i for i, probability in enumerate(self.probabilities) if probability > 0)
        passed = int(np.searchsorted(np.cumsum(self.probabilities), u, side="right"))
        return min(passed, last)  # the sum may fall short of 1 by rounding

    def _typed(self, number: float) -> int | float:
        return int(number) if FIELDS[self.name] is int else float(number)


@dataclass(frozen=True)
class Space:
    """What to search, how, and when to stop."""

    method: str
    """bayes, random or grid."""
    metric: str
    """val_balanced_acc or val_macro_f1, always maximised."""
    parameters: tuple[Parameter, ...]
    """Searched and constant ones in file order, then overrides the file does not name."""
    early_terminate: EarlyTerminate | None = None
    """None lets every trial run to its last epoch."""
    run_cap: int | None = None
    """Most trials to run, >= 1; None sets no limit."""

    @property
    def searched(self) -> tuple[Parameter, ...]:
        """The parameters that are not constant."""
        return tuple(parameter for parameter in self.parameters if not parameter.is_constant)

    def config(self, units: Mapping[str, float]) -> dict[str, Any]:
        """A value for each parameter, from one `u` in [0, 1] for each searched one; KeyError if one is missing."""
        return {p.name: p.at(0.0 if p.is_constant else units[p.name]) for p in self.parameters}

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """An independent draw of every parameter."""
        return self.config({parameter.name: rng.random() for parameter in self.searched})

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every combination, the last parameter changing fastest; SpaceError if one cannot be enumerated."""
        names = [parameter.name for parameter in self.parameters]
        for values in itertools.product(*[parameter.grid() for parameter in self.parameters]):
            yield dict(zip(names, values, strict=True))


def load_space(path: Path, overrides: Mapping[str, Any] | None = None) -> Space:
    """The space in the wandb sweep file at `path`; each of `overrides` (name: value) becomes a constant.

    Every value that can be drawn from a list or between min and max is one TrialConfig accepts. normal, log_normal and
    beta have no ends: they are refused if their 0.1% or 99.9% quantile is illegal; a rarer illegal draw is left for its
    trial to fail on. Raises SpaceError, in one line that names the file, the key, the value and the rule.
    """
    try:
        return _space(_read(path), overrides or {})
    except (SpaceError, ConfigError) as error:
        raise SpaceError(" ".join(f"{path}: {error}".split())) from None


class _Loader(yaml.SafeLoader):
    """Safe loading that refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _read(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise SpaceError(f"cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpaceError(f"is not valid YAML{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or an impossible date
        raise SpaceError(f"is not valid YAML: {error}") from None


def _space(content: Any, overrides: Mapping[str, Any]) -> Space:
    top = _mapping("a space", content)
    _check_keys("", top, (*USED_KEYS, *UNUSED_KEYS))
    method = _choice("method", _required("", top, "method"), METHODS)
    specs = dict(_mapping("parameters", _required("", top, "parameters")))
    if not specs:
        raise SpaceError("parameters={} names no hyper-parameter")
    specs |= {name: {"value": value} for name, value in overrides.items()}
    parameters = tuple(_parameter(name, spec) for name, spec in specs.items())
    if method == "grid":
        for parameter in parameters:
            parameter.grid()
    return Space(
        method=method,
        metric=_metric(top["metric"]) if "metric" in top else SELECTION_METRICS[0],
        parameters=parameters,
        early_terminate=_early_terminate(top["early_terminate"]) if "early_terminate" in top else None,
        run_cap=_count("run_cap", top["run_cap"]) if "run_cap" in top else None,
    )


def _parameter(name: Any, spec: Any) -> Parameter:
    where = f"parameters.{name}"
    spec = _mapping(where, spec)
    if "parameters" in spec:
        raise SpaceError(f"{where}.parameters: nested parameters are not supported, since a config is flat")
    try:
        check_name(str(name))
    except ConfigError as error:
        raise SpaceError(f"{where}: {error}") from None
    distribution = _distribution(where, spec)
    if distribution == "constant":
        _check_keys(f"{where}.", spec, ("distribution", "value"))
        value = _legal(f"{where}.value", name, _required(f"{where}.", spec, "value"))
        return Parameter(name, distribution, values=(value,))
    if distribution in LISTED:
        return _listed(where, name, distribution, spec)
    return _numeric(where, name, distribution, spec)


def _distribution(where: str, spec: Mapping[str, Any]) -> str:
    """The distribution given, else the one wandb implies."""
    if "distribution" in spec:
        known = ("constant", *LISTED, *distributions.SHAPE_KEYS)
        return _choice(f"{where}.distribution", spec["distribution"], known)
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "min" in spec or "max" in spec:
        ends = [_number(f"{where}.{key}", spec[key]) for key in ("min", "max") if key in spec]
        return "int_uniform" if all(isinstance(end, int) for end in ends) else "uniform"
    known = ("value", "values", "min", "max", "distribution")
    _check_keys(f"{where}.", spec, known)
    raise SpaceError(f"{where}={spec} has none of {', '.join(known)}")


def _listed(where: str, name: str, distribution: str, spec: Mapping[str, Any]) -> Parameter:
    _check_keys(f"{where}.", spec, ("distribution", "values", "probabilities"))
    listed = _list(f"{where}.values", _required(f"{where}.", spec, "values"))
    values = tuple(_legal(f"{where}.values", name, value) for value in listed)
    for i, value in enumerate(values):
        if value in values[:i]:
            raise SpaceError(f"{where}.values: {value!r} is listed twice; weigh values with probabilities")
    if distribution == "categorical" and "probabilities" not in spec:
        return Parameter(name, distribution, values)
    key = f"{where}.probabilities"
    shares = tuple(float(_number(key, p)) for p in _list(key, _required(f"{where}.", spec, "probabilities")))
    if len(shares) != len(values):
        raise SpaceError(f"{key}: {len(shares)} probabilities are given for {len(values)} values")
    if min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise SpaceError(f"{key}: {list(shares)} are not >= 0 with sum 1")
    return Parameter(name, distribution, values, shares)


def _numeric(where: str, name: str, distribution: str, spec: Mapping[str, Any]) -> Parameter:
    quantised = distribution.startswith("q_")
    keys = (*distributions.SHAPE_KEYS[distribution], *(("q",) if quantised else ()))
    _check_keys(f"{where}.", spec, ("distribution", *keys))
    filled = {**distributions.DEFAULTS, **spec}
    first, second, *quantum = (_number(f"{where}.{key}", _required(f"{where}.", filled, key)) for key in keys)
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
    except SpaceError as error:
        raise SpaceError(f"{where}: {error}") from None
    parameter = Parameter(name, distribution, shape=(first, second), q=q)
    for u in (0.0, 1.0) if distributions.is_bounded(distribution) else (_TAIL, 1 - _TAIL):
        _legal(f"{where}: {distribution} with {keys[0]}={first:g}, {keys[1]}={second:g} reaches", name, parameter.at(u))
    return parameter


def _legal(where: str, name: str, value: Any) -> Value:
    """`value` as TrialConfig writes it, or SpaceError with the rule it breaks."""
    for item in value if isinstance(value, list | tuple) else [value]:
        if isinstance(item, list | dict | set):
            raise SpaceError(f"{where}: {_shown(item)} is not a plain value")
    try:
        return TrialConfig.from_mapping({name: value}).to_dict()[name]
    except ConfigError as error:
        raise SpaceError(f"{where}: {error}") from None


def _metric(spec: Any) -> str:
    spec = _mapping("metric", spec)
    _check_keys("metric.", spec, ("name", "goal"))
    name = _choice("metric.name", _required("metric.", spec, "name"), SELECTION_METRICS)
    if "goal" not in spec:
        raise SpaceError(f"metric.goal is missing, which wandb takes for minimize; {name} needs 'goal: maximize'")
    if spec["goal"] != "maximize":
        raise SpaceError(f"metric.goal={_shown(spec['goal'])} is not maximize, the only goal of {name}")
    return name


def _early_terminate(spec: Any) -> EarlyTerminate:
    spec = _mapping("early_terminate", spec)
    _check_keys("early_terminate.", spec, ("type", "min_iter", "max_iter", "s", "eta", "strict"))
    _choice("early_terminate.type", _required("early_terminate.", spec, "type"), ("hyperband",))
    if spec.get("strict", False) is not False:
        raise SpaceError(f"early_terminate.strict={_shown(spec['strict'])} is not supported; leave it out")
    eta = _number("early_terminate.eta", spec.get("eta", 3))
    if eta <= 1:
        raise SpaceError(f"early_terminate.eta={eta:g} is not above 1")
    counts = {key: _count(f"early_terminate.{key}", spec[key]) for key in ("min_iter", "max_iter", "s") if key in spec}
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


def _check_keys(prefix: str, mapping: Mapping[Any, Any], known: Collection[str]) -> None:
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(known)}"
            raise SpaceError(f"{prefix}{key} is not a key used here; {hint}")


def _required(prefix: str, mapping: Mapping[str, Any], key: str) -> Any:
    if key not in mapping:
        raise SpaceError(f"{prefix}{key} is missing")
    return mapping[key]


def _mapping(where: str, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise SpaceError(f"{where}: {_shown(value)} is not a mapping of keys to values")
    return value


def _list(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise SpaceError(f"{where}: {_shown(value)} is not a list of at least one")
    return value


def _choice(where: str, value: Any, known: Collection[str]) -> str:
    if not isinstance(value, str) or value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SpaceError(f"{where}={_shown(value)} is not one of {', '.join(known)}{hint}")
    return value


def _number(where: str, value: Any) -> int | float:
    """A finite number; text is parsed, since YAML 1.1 reads 1e-3 as text."""
    try:
        number = float(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            return number
    except (ValueError, OverflowError):
        pass
    raise SpaceError(f"{where}={_shown(value)} is not a finite number")


def _count(where: str, value: Any) -> int:
    number = _number(where, value)
    if number < 1 or not float(number).is_integer():
        raise SpaceError(f"{where}={_shown(value)} is not a whole number of at least 1")
    return int(number)


def _shown(value: Any) -> str:
    return reprlib.repr(value)
