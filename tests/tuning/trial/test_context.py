"""What all trials of an experiment share goes to every worker whole."""

import pickle
from pathlib import Path

import pytest

from skin_tune.config import TrialConfig
from skin_tune.data.pack.folds import Fold
from skin_tune.errors import PackError, StoreError
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.trial.context import FOLD, REGION, TRIAL_ID, TrialSetting, hyper_parameters
from tests.conftest import PackMaker
from tests.local import local


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a run notes which packs it has hashed."""
    monkeypatch.setenv("SKIN_TUNE_CACHE", str(tmp_path / "cache"))


def test_only_hyper_parameters_of_a_tune_config_are_given_to_the_trainer():
    config = TrialConfig(epochs=3).to_dict()
    assert hyper_parameters({**config, TRIAL_ID: "exp-000", REGION: "lip_dryness", FOLD: Fold(0, 2, 1)}) == config


def test_a_worker_opens_the_pack_of_the_experiment_and_no_other(make_pack: PackMaker, tmp_path: Path):
    pack, other = make_pack(), make_pack(name="other", seed=1)
    setting = TrialSetting.of(pack, tmp_path / "runs", "exp", "val_macro_f1")
    sent = pickle.loads(pickle.dumps(setting))
    assert sent == setting
    assert sent.open_pack().info == pack.info
    other.path.replace(local(pack.path))
    with pytest.raises(PackError, match=pack.info.pack_id):
        sent.open_pack()


def test_each_run_is_told_from_others(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack()
    first, second = (TrialSetting.of(pack, tmp_path, "exp", "val_balanced_acc") for _ in range(2))
    assert first.run != second.run


def test_checkpoints_of_a_trial_lie_with_its_experiment(make_pack: PackMaker, tmp_path: Path):
    setting = TrialSetting.of(make_pack(), tmp_path, "exp", "val_balanced_acc")
    folder = tmp_path / "experiments" / "lip_dryness" / "exp" / "checkpoints" / "exp-007"
    assert setting.checkpoints("exp-007") == folder


def test_nothing_is_to_be_written_once_the_experiment_was_removed(make_pack: PackMaker, tmp_path: Path):
    setting = TrialSetting.of(make_pack(), tmp_path / "runs", "exp", "val_balanced_acc")
    writer = ExperimentWriter(tmp_path / "runs", "lip_dryness", "exp")
    setting.check_storage()
    writer.discard()
    with pytest.raises(StoreError, match="was removed while a run wrote to it"):
        setting.check_storage()
