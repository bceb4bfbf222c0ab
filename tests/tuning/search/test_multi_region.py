from collections import Counter
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from skin_tune.tuning.search.multi_region import RegionSearcher
from skin_tune.tuning.search.searcher import SpaceSearcher
from skin_tune.tuning.space.sweep_file import load_space

REGIONS = ("lip_dryness", "chin_sagging", "cheek_pore")


def searcher_of(
    folder: Path, to_run: dict[str, int], *, method: str = "random", room: int = 99, **options: Any
) -> RegionSearcher:
    (folder / "space.yaml").write_text(f"method: {method}\nparameters:\n  learning_rate: {{min: 0.001, max: 0.1}}\n")
    space = load_space(folder / "space.yaml")
    searchers = {region: SpaceSearcher(space, 0, "exp", folder / region) for region in to_run}
    return RegionSearcher(searchers, to_run, room=lambda: room, **options)


def test_places_go_to_the_region_with_the_fewest_running_trials(tmp_path: Path):
    searcher = searcher_of(tmp_path, dict.fromkeys(REGIONS, 3))
    started = [searcher.suggest(str(number))["region"] for number in range(6)]
    assert Counter(started) == dict.fromkeys(REGIONS, 2)
    for number in (1, 4):  # both of the second region end
        searcher.on_trial_complete(str(number), {"epoch": 1, "val_balanced_acc": 0.5})
    assert searcher.suggest("6")["region"] == REGIONS[1]
    rest = [searcher.suggest(str(number))["region"] for number in (7, 8)]
    assert Counter([*started, REGIONS[1], *rest]) == dict.fromkeys(REGIONS, 3)
    assert searcher.suggest("9") == Searcher.FINISHED


def test_a_region_without_trials_left_leaves_its_places_to_the_others(tmp_path: Path):
    searcher = searcher_of(tmp_path, {"lip_dryness": 1, "chin_sagging": 4})
    regions = [searcher.suggest(str(number))["region"] for number in range(5)]
    assert Counter(regions) == {"lip_dryness": 1, "chin_sagging": 4}


def test_in_order_a_region_waits_for_those_before_it(tmp_path: Path):
    searcher = searcher_of(tmp_path, dict.fromkeys(REGIONS, 2), in_order=True)
    regions = [searcher.suggest(str(number))["region"] for number in range(6)]
    assert regions == [region for region in REGIONS for _ in range(2)]


def test_a_region_that_has_ended_gets_no_more_trials(tmp_path: Path):
    ended: set[str] = set()
    searcher = searcher_of(tmp_path, {"lip_dryness": 3, "chin_sagging": 2}, starts_none=ended.__contains__)
    assert searcher.suggest("0")["region"] == "lip_dryness"
    ended.add("lip_dryness")
    assert [searcher.suggest(str(number))["region"] for number in (1, 2)] == ["chin_sagging"] * 2
    assert searcher.suggest("3") == Searcher.FINISHED


def test_each_region_numbers_its_own_trials(tmp_path: Path):
    searcher = searcher_of(tmp_path, dict.fromkeys(REGIONS, 2))
    own = [(config["region"], config["trial_id"]) for config in (searcher.suggest(str(n)) for n in range(6))]
    assert sorted(own) == sorted((region, f"exp-00{number}") for region in REGIONS for number in range(2))


def test_what_learns_from_results_waits_for_a_place_and_what_does_not_is_ready_ahead(tmp_path: Path):
    blind = searcher_of(tmp_path, {"lip_dryness": 40}, room=2)
    assert all(isinstance(blind.suggest(str(number)), dict) for number in range(40))
    learning = searcher_of(tmp_path, {"chin_sagging": 40}, room=2, method="bayes")
    drawn = [learning.suggest(str(number)) for number in range(12)]
    assert [config is None for config in drawn] == [False] * 10 + [True] * 2  # the first ten are random draws
    for number in range(8):
        learning.on_trial_complete(
            str(number), {"epoch": 30, "val_balanced_acc": 0.5, "best_val_balanced_acc": 0.1 * number}
        )
    assert learning.suggest("next") is not None  # one is kept ready beside the two that run
    assert learning.suggest("later") is None


def test_a_region_whose_configs_are_used_up_says_so_and_leaves_its_places_to_the_others(tmp_path: Path):
    (tmp_path / "space.yaml").write_text("method: random\nparameters:\n  oversample: {values: [none, sqrt]}\n")
    space = load_space(tmp_path / "space.yaml")
    searchers = {region: SpaceSearcher(space, 0, "exp", tmp_path / region) for region in REGIONS[:2]}
    ended: list[str] = []
    searcher = RegionSearcher(searchers, {REGIONS[0]: 5, REGIONS[1]: 2}, room=lambda: 99, used_up=ended.append)
    started = [searcher.suggest(str(number))["region"] for number in range(4)]
    assert Counter(started) == dict.fromkeys(REGIONS[:2], 2)
    assert searcher.suggest("4") == Searcher.FINISHED
    assert ended == [REGIONS[0]]
