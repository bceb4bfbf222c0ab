"""YAML of a sweep file, read so that nothing is taken for another thing than it looks like."""

import math
from dataclasses import dataclass
from typing import Any

import yaml

from skin_tune.errors import SpaceError
from skin_tune.storage.files import Location, is_regular
from skin_tune.text.numbers import number_from


def read_yaml(path: Location) -> Any:
    """Read the file at `path`. Raises SpaceError where it cannot be read, is no YAML, or gives a key twice."""
    try:
        if path.exists() and not is_regular(path):
            raise SpaceError("is not a regular file")
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise SpaceError(f"cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpaceError(f"is not valid YAML{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or an impossible date
        raise SpaceError(f"is not valid YAML: {error}") from None


@dataclass(frozen=True, repr=False)
class UnclearNumber:
    """A number that YAML 1.1 reads otherwise than people do: 010 as 8, 1:30 as 90, 1_0 as 10. Always refused."""

    text: str
    value: int | float

    def __repr__(self) -> str:
        return f"{self.text} (in YAML {self.value})"


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


def _whole(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return _if_clear(node.value, loader.construct_yaml_int(node))


def _fraction(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return _if_clear(node.value, loader.construct_yaml_float(node))


def _if_clear(text: str, value: int | float) -> int | float | UnclearNumber:
    """`value` if it is what `text` says, or infinite or no number, which no key takes."""
    if isinstance(value, float) and not math.isfinite(value):
        return value
    try:
        clear = number_from(text) == value
    except ValueError:
        clear = False
    return value if clear else UnclearNumber(text, value)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _fraction)
