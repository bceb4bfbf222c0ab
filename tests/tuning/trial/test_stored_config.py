"""A stored config is read in one way, however old its experiment is."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from skin_tune.config import TrialConfig
from skin_tune.errors import ConfigError
from skin_tune.results import load_trials
from skin_tune.results.store.schema import now
from skin_tune.results.store.tables import ExperimentWriter
from skin_tune.tuning.experiment.resume import resumable_configs
from skin_tune.tuning.experiment.spec import ExperimentSpec
from skin_tune.tuning.search.warm_start import best_of_siblings
from skin_tune.tuning.space.configs import Configs
from skin_tune.tuning.space.parameters import Parameter, Space
from skin_tune.tuning.trial.stored_config import config_of
from tests.conftest import PackMaker

YOUNG = "sync_batchnorm"
"""A hyper-parameter that earlier versions did not have."""


def begin(storage: Path, trial_id: str, *, without: str = "", **values: object) -> None:
    """A trial that was interrupted, in the store of a version that does not know `without`."""
    config = TrialConfig(backbone="resnet18", augmentation_methods=()).to_dict()
    config.pop(without, None)
    writer = ExperimentWriter(storage, "lip_dryness", "exp")
    columns = {f"config/{name}": value for name, value in config.items()}
    writer.update_trial(trial_id, status="running", started_at=now(), val_balanced_acc=0.5, **columns, **values)
    writer.flush()
    writer.close()


def test_a_column_that_is_missing_and_one_without_a_value_are_the_default(tmp_path: Path):
    wanted = TrialConfig(backbone="resnet18", augmentation_methods=())
    begin(tmp_path, "exp-000", without=YOUNG)
    stored = pq.read_schema(next(tmp_path.glob("results/trials/*/*/*.parquet")))
    assert f"config/{YOUNG}" not in stored.names
    assert config_of(load_trials(tmp_path).iloc[0].to_dict()) == wanted
    begin(tmp_path, "exp-001")  # resumed by this version: the older row has a gap
    for row in load_trials(tmp_path).to_dict("records"):
        assert config_of(row) == wanted


def test_an_experiment_older_than_a_hyper_parameter_can_be_resumed_twice(tmp_path: Path):
    begin(tmp_path, "exp-000", without=YOUNG)
    for number in (1, 2):
        writer = ExperimentWriter(tmp_path, "lip_dryness", "exp")
        for config in resumable_configs(writer):
            trial_id = config.pop("trial_id")
            assert config == TrialConfig(backbone="resnet18", augmentation_methods=()).to_dict(), trial_id
            TrialConfig.from_mapping(config)
        writer.close()
        begin(tmp_path, f"exp-00{number}")


def test_it_can_be_a_sibling_to_start_from(tmp_path: Path):
    begin(tmp_path, "exp-000", without=YOUNG)
    space = Space("random", "val_balanced_acc", (Parameter(YOUNG, "categorical", (False, True)),))
    assert best_of_siblings(tmp_path, ["exp"], "lip_dryness", "new", Configs(space)) == [{YOUNG: 0.75}]


def test_what_it_was_started_with_does_not_differ_by_a_default(make_pack: PackMaker):
    pack = make_pack()

    def asked(*parameters: Parameter) -> ExperimentSpec:
        return ExperimentSpec.of(pack, Space("random", "val_balanced_acc", parameters), 0, 4, [])

    old = asked(Parameter("epochs", "constant", (3,)))
    same = asked(Parameter("epochs", "constant", (3,)), Parameter(YOUNG, "constant", (True,)))
    other = asked(Parameter("epochs", "constant", (3,)), Parameter(YOUNG, "constant", (False,)))
    assert old.changes(same) == same.changes(old) == []
    assert old.changes(other) == ["sync_batchnorm was not in the space, is False"]


def test_a_hyper_parameter_of_a_later_version_is_an_error():
    with pytest.raises(ConfigError, match="'not_yet_known' is not a hyper-parameter"):
        config_of({"config/epochs": 3, "config/not_yet_known": 0.2})
    assert config_of({"config/epochs": 3, "config/not_yet_known": None}) == TrialConfig.from_stored({"epochs": 3})


def test_a_row_that_lacks_its_augmentation_is_augmented_as_its_version_did():
    config = config_of({"config/epochs": 3})
    assert config.augment == "added"
    assert config.augmentation_methods == ("horizontal_flip", "rotation", "color_jitter")
    assert config.augmentation_strength == 1
