"""Spaces from a few lines of YAML."""

import pytest

from skin_tune.tuning.space.parameters import Parameter, Space
from skin_tune.tuning.space.sweep_file import load_space

BRIEF = """\
method: bayes
metric:
  name: val_balanced_acc
  goal: maximize
parameters:
  learning_rate:
    distribution: log_uniform_values
    min: 0.00001
    max: 0.001
  gamma:
    values: [0.5, 1.0, 2.0, 3.0]
  dropout_prob:
    values: [0.2, 0.3, 0.4, 0.5]
"""


@pytest.fixture
def load(tmp_path):
    def load(text: str, **overrides) -> Space:
        path = tmp_path / "space.yaml"
        path.write_text(text, encoding="utf-8")
        return load_space(path, overrides)

    return load


@pytest.fixture
def one(load):
    """The parameter that one line of YAML describes."""

    def one(line: str, method: str = "random") -> Parameter:
        return load(f"method: {method}\nparameters:\n  {line}\n").parameters[0]

    return one
