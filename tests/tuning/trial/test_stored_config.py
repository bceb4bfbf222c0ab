"""A stored config is read in one way, however old its experiment is."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from skin_tune.config import TrialConfig
from skin_tune.errors import ConfigError
from skin_tune.results import load_trials
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.experiment.resume import resumable_configs
from skin_tune.tuning.experiment.spec import ExperimentSpec
from skin_tune.tuning.search.warm_start import best_of_siblings
from skin_tune.tuning.space.configs import Configs
from skin_tune.tuning.space.parameters import Parameter, Space
from skin_tune.tuning.trial.stored_config import COLUMNS, columns_of, config_of, values_of
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


def test_a_config_that_its_trial_failed_on_is_read_unchecked():
    row = {"config/epoch_images": 100, "config/target_samples_per_class": 5, "config/gamma": None}
    with pytest.raises(ConfigError, match="both set the length"):
        config_of(row)
    values = values_of(row)
    assert (values["epoch_images"], values["target_samples_per_class"]) == (100, 5)
    assert values["gamma"] == TrialConfig.gamma


def test_columns_are_null_where_a_value_does_nothing_and_lead_back_to_the_config(tmp_path: Path):
    config = TrialConfig(train_loss="ce", gamma=0.5, oversample="none")
    columns = columns_of(config.to_dict())
    assert columns.keys() == COLUMNS.keys()
    assert columns["config/gamma"] is columns["config/target_samples_per_class"] is None
    assert config_of(columns) == replace(config, gamma=TrialConfig.gamma)


def test_a_column_has_its_type_where_no_trial_has_a_value(tmp_path: Path):
    """Readers that take the types of the first file, as DuckDB does, would not read the next one."""
    for experiment, loss in (("first", "ce"), ("second", "focal")):
        for _ in range(2):  # once more by a writer that was told of no types
            writer = ExperimentWriter(tmp_path, "lip_dryness", experiment)
            if not writer.trials():
                writer.set_types(COLUMNS)
            writer.update_trial("a", status="completed", **columns_of(TrialConfig(train_loss=loss).to_dict()))
            writer.flush()
            writer.close()
    files = sorted(tmp_path.glob("results/trials/*/*/*.parquet"))
    schemas = [pq.read_schema(file) for file in files]
    for name in COLUMNS:
        assert schemas[0].field(name).type == schemas[1].field(name).type, name
    everywhere = duckdb.sql(f'select "config/gamma" from read_parquet({list(map(str, files))})').fetchall()
    assert everywhere == [(None,), (2.0,)]
