import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_tune.config import TrialConfig
from skin_tune.errors import ExperimentError
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.search.searcher import SpaceSearcher
from skin_tune.tuning.search.warm_start import CONFIGS, best_of_siblings, check_siblings, chosen_once
from skin_tune.tuning.space.configs import Configs
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.space.sweep_file import load_space

SPACE = """
method: {method}
parameters:
  learning_rate: {{distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-1}}
  batch_size: {{distribution: q_uniform, min: 8, max: 64, q: 8}}
  oversample: {{values: [none, sqrt, balanced]}}
  train_loss: {{values: [ce, cb], probabilities: [0.2, 0.8]}}
"""


def space_of(folder: Path, method: str = "bayes") -> Space:
    (folder / "space.yaml").write_text(SPACE.format(method=method))
    return load_space(folder / "space.yaml")


def write(storage: Path, region: str, experiment: str, *trials: tuple[float, float, str]) -> None:
    """Trials of (score, learning rate, status)."""
    writer = ExperimentWriter(storage, region, experiment)
    for number, (score, rate, status) in enumerate(trials):
        config = {"learning_rate": rate, "batch_size": 16, "oversample": "sqrt", "train_loss": "cb"}
        columns = {f"config/{name}": value for name, value in config.items()}
        writer.update_trial(f"{experiment}-{number}", status=status, val_balanced_acc=score, **columns)
    writer.flush()
    writer.close()


@given(unit=st.floats(0, 1))
def test_a_value_leads_back_to_a_share_that_draws_it(tmp_path_factory: pytest.TempPathFactory, unit: float):
    for parameter in space_of(tmp_path_factory.getbasetemp()).parameters:
        value = parameter.at(unit)
        again = parameter.unit_of(value)
        assert again is not None
        if isinstance(value, float):
            assert parameter.at(again) == pytest.approx(value, rel=1e-9)
        else:
            assert parameter.at(again) == value


def test_what_cannot_be_drawn_has_no_share(tmp_path: Path):
    rate, batch, oversample, _ = space_of(tmp_path).parameters
    assert rate.unit_of(1.0) is None
    assert rate.unit_of(float("nan")) is None
    assert batch.unit_of(None) is None
    assert oversample.unit_of("twice") is None


def test_the_best_of_each_sibling_comes_first_and_none_that_failed(tmp_path: Path):
    write(tmp_path, "cheek_pore", "a", (0.9, 0.01, "diverged"), (0.5, 0.02, "completed"), (0.4, 0.03, "stopped_early"))
    write(tmp_path, "lip_dryness", "b", (0.3, 0.04, "completed"), (0.2, 0.5, "completed"))
    write(tmp_path, "lip_dryness", "own", (0.99, 0.06, "completed"))
    space = space_of(tmp_path)
    found = best_of_siblings(tmp_path, ["cheek_pore", "b"], "lip_dryness", "own", Configs(space))
    rates = [space.config(units)["learning_rate"] for units in found]
    assert rates == pytest.approx([0.02, 0.04, 0.03])  # 0.5 is outside the space
    assert best_of_siblings(tmp_path, ["lip_dryness"], "lip_dryness", "own", Configs(space))[0] == found[1]


def test_a_sibling_that_is_not_there_is_named(tmp_path: Path):
    write(tmp_path, "cheek_pore", "a", (0.5, 0.02, "completed"))
    check_siblings(tmp_path, ["a", "cheek_pore"], "lip_dryness", "own")
    with pytest.raises(ExperimentError, match=r"'forehead'.*it holds cheek_pore/a"):
        check_siblings(tmp_path, ["forehead"], "lip_dryness", "own")
    with pytest.raises(ExperimentError, match="it holds none"):
        check_siblings(tmp_path / "empty", ["a"], "lip_dryness", "own")


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_a_search_tries_them_first_and_then_goes_its_own_way(tmp_path: Path, method: str):
    space = space_of(tmp_path, method)
    write(tmp_path, "cheek_pore", "a", *((0.1 * number, 0.01 * number, "completed") for number in range(1, 9)))

    def searcher(name: str, *, warm: bool, started: int = 0) -> SpaceSearcher:
        taken = [f"own-{number:03d}" for number in range(started)]
        configs = Configs(space)
        head_start = (lambda: best_of_siblings(tmp_path, ["a"], "lip_dryness", "own", configs)) if warm else tuple
        return SpaceSearcher(space, 0, "own", tmp_path / name, warm_start=head_start, started_ids=taken)

    warm, cold = searcher("warm", warm=True), searcher("cold", warm=False)
    rates = [warm.suggest(str(number))["learning_rate"] for number in range(CONFIGS + 3)]
    assert rates.pop(0) == cold.suggest("0")["learning_rate"] == pytest.approx(TrialConfig.learning_rate)
    assert rates[:CONFIGS] == pytest.approx([0.08, 0.07, 0.06, 0.05, 0.04])
    assert len(set(rates)) == CONFIGS + 2
    assert cold.suggest("1")["learning_rate"] not in rates[:CONFIGS]
    resumed = searcher("resumed", warm=True, started=CONFIGS)
    assert resumed.suggest("0")["learning_rate"] == pytest.approx(0.04)
    assert resumed.suggest("1")["learning_rate"] not in rates[:CONFIGS]


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_the_defaults_are_not_tried_twice(tmp_path: Path, method: str):
    space = space_of(tmp_path, method)
    first = SpaceSearcher(space, 0, "own", tmp_path / "first").suggest("0")
    # A sibling that began with them, too, and has found nothing better.
    writer = ExperimentWriter(tmp_path, "cheek_pore", "a")
    for number, (score, rate) in enumerate([(0.9, first["learning_rate"]), (0.5, 0.02)]):
        row = {f"config/{name}": first[name] for name in ("batch_size", "oversample", "train_loss")}
        writer.update_trial(
            f"a-{number}", status="completed", val_balanced_acc=score, **row, **{"config/learning_rate": rate}
        )
    writer.flush()
    writer.close()
    searcher = SpaceSearcher(
        space,
        0,
        "own",
        tmp_path / "journal",
        warm_start=lambda: best_of_siblings(tmp_path, ["a"], "lip_dryness", "own", Configs(space)),
    )
    rates = [searcher.suggest(str(number))["learning_rate"] for number in range(3)]
    assert rates[:2] == pytest.approx([first["learning_rate"], 0.02])
    assert rates[2] not in rates[:2]


def test_what_was_taken_over_stays_when_the_siblings_have_changed(tmp_path: Path):
    space, file = space_of(tmp_path), tmp_path / "warm_start.json"

    def choose() -> list[dict[str, float]]:
        return best_of_siblings(tmp_path, ["cheek_pore"], "lip_dryness", "mine", Configs(space))

    write(tmp_path, "cheek_pore", "first", (0.5, 1e-3, "completed"))
    first = chosen_once(file, choose)
    write(tmp_path, "cheek_pore", "second", (0.9, 1e-2, "completed"))
    assert len(choose()) == 2
    assert chosen_once(file, choose) == first


def test_configs_to_try_first_are_read_back_or_named(tmp_path: Path):
    file = tmp_path / "warm_start.json"
    file.write_text(json.dumps([{"learning_rate": 0.5, "gamma": 1}]))
    assert chosen_once(file, list) == [{"learning_rate": 0.5, "gamma": 1}]
    for text in ('[{"a": 2}]', '[{"a": "x"}]', "[[1]]", '{"a": 1}', "5", "[" * 100_000, "x", '[{"a": NaN}]'):
        file.write_text(text)
        with pytest.raises(ExperimentError, match=r"warm_start.json' is not what this program writes"):
            chosen_once(file, list)
