"""Models as artifacts of a real offline run, from this machine and from a bucket."""

from pathlib import Path

import pytest
import wandb

from skin_tune.tuning.tracking.wandb_artifacts import log_model
from skin_tune.tuning.tracking.wandb_files import on_disk
from tests.conftest import Bucket
from tests.integration.offline_runs import offline_runs
from tests.integration.processes import wait_until


@pytest.fixture(autouse=True)
def _copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "copies"))  # in place of the home folder


def logged(folder: Path, files: dict[str, str]) -> dict[str, Path]:
    """Where wandb's record says that the files of the artifact are."""
    settings = wandb.Settings(silent=True, console="off", x_save_requirements=False, x_disable_stats=True)
    run = wandb.init(mode="offline", dir=folder, id="abc", project="p", reinit="create_new", settings=settings)
    log_model(run, "lip_dryness-exp", files, {"epochs": 3})
    run.finish()
    wandb.teardown()  # else every process that is started from here on shares this one's wandb-core
    wait_until(lambda: on_disk(folder, "abc").ended)
    (model,) = offline_runs(folder)["abc"].models
    return {entry.path: Path(entry.local_path) for entry in model.manifest.contents}


def test_a_file_on_this_machine_stays_where_it_is(tmp_path: Path):
    (tmp_path / "best.pt").write_bytes(b"the model")
    (tmp_path / "photo.png").write_bytes(b"a face")
    assert logged(tmp_path, {"model.pt": str(tmp_path / "best.pt")}) == {"model.pt": tmp_path / "best.pt"}


def test_a_file_in_a_bucket_is_kept_until_it_is_uploaded(bucket: Bucket, tmp_path: Path):
    model = bucket.path / "refit" / "model.pt"
    model.write_bytes(b"the model")
    found = logged(tmp_path, {"model.pt": str(model)})
    assert {name: file.read_bytes() for name, file in found.items()} == {"model.pt": b"the model"}
    assert found["model.pt"].is_relative_to(tmp_path / "copies")
