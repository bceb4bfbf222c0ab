import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from skin_tune.data.pack.layout.info import FORMAT_VERSION
from skin_tune.results import load_epochs, load_trials
from skin_tune.tuning.refit.plan import RefitRequest, plan_refit
from tests.cli_runner import ROOT, assert_one_line_error, skin_tune, skin_tune_here
from tests.conftest import PackMaker

SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=16")


def test_importing_the_package_or_asking_for_help_loads_neither_torch_nor_ray():
    script = (
        "import sys, skin_tune, skin_tune.cli.main\n"
        "sys.argv = ['skin-tune', 'tune', '--help']\n"
        "try: skin_tune.cli.main.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'ray', 'pandas', 'pyarrow', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_no_arguments_prints_the_commands():
    done = skin_tune_here()
    assert done.returncode == 0
    assert "prepare" in done.stderr


def test_train_leaves_a_model_a_checkpoint_and_rows_in_the_store_and_goes_on(make_pack: PackMaker, tmp_path: Path):
    pack, storage = make_pack().path, tmp_path / "runs"
    first = skin_tune("train", pack, *SMALL, "epochs=2", "--storage", storage, "--name", "by-hand")
    assert first.returncode == 0, first.stderr
    assert "epoch 2/2" in first.stderr
    folder = storage / "experiments" / "lip_dryness" / "by-hand" / "checkpoints" / "by-hand"
    assert sorted(path.name for path in folder.iterdir()) == ["best.pt", "last.pt"]
    assert str(folder / "best.pt") in first.stdout
    assert load_trials(storage)["trial_id"].tolist() == ["by-hand"]

    again = skin_tune_here("train", pack, *SMALL, "--storage", storage, "--name", "by-hand")
    assert_one_line_error(again, "'by-hand'", "--resume")
    done = skin_tune_here("train", pack, "--storage", storage, "--resume", folder / "last.pt")
    assert_one_line_error(done, "has run all 2 of its epochs")

    longer = skin_tune_here("train", pack, "epochs=3", "--storage", storage, "--resume", folder / "last.pt")
    assert longer.returncode == 0, longer.stderr
    assert load_epochs(storage)["epoch"].tolist() == [1, 2, 3]
    row = load_trials(storage).iloc[0]
    assert (row["status"], row["epochs"], row["config/backbone"]) == ("completed", 3, "resnet18")
    after_warmup = load_epochs(storage)["val_balanced_acc"].iloc[1:]
    assert row["val_balanced_acc"] == after_warmup.max()

    other = skin_tune_here(
        "train", pack, "epochs=9", "backbone=resnet34", "--storage", storage, "--resume", folder / "last.pt"
    )
    assert_one_line_error(other, "backbone=resnet18, not resnet34")

    table = skin_tune_here("trials", "--storage", storage)
    assert "by-hand" in table.stdout
    assert skin_tune_here("trials", "--storage", storage, "--format", "csv").stdout.startswith(
        "trial_id,region,experiment"
    )
    (shown,) = json.loads(skin_tune_here("trials", "--storage", storage, "--format", "json").stdout)
    assert (shown["status"], shown["error"]) == ("completed", None)
    assert_one_line_error(
        skin_tune_here("trials", "--storage", storage, "--format", "xml"), "'xml'", "table, csv, json"
    )


def test_a_training_of_an_older_version_whose_trial_is_train_goes_on_as_that(make_pack: PackMaker, tmp_path: Path):
    pack, storage = make_pack().path, tmp_path / "runs"
    done = skin_tune_here("train", pack, *SMALL, "epochs=1", "--storage", storage, "--name", "old")
    assert done.returncode == 0, done.stderr
    experiment = storage / "experiments" / "lip_dryness" / "old"
    (experiment / "checkpoints" / "old").rename(experiment / "checkpoints" / "train")
    (experiment / "asked.json").unlink()
    for file in storage.glob("results/*/*/*/data.parquet"):
        table = pq.read_table(file, partitioning=None)
        column = table.column_names.index("trial_id")
        pq.write_table(table.set_column(column, "trial_id", pa.array(["train"] * len(table))), file)

    last = experiment / "checkpoints" / "train" / "last.pt"
    taken = skin_tune_here("train", pack, *SMALL, "--storage", storage, "--name", "old")
    assert_one_line_error(taken, "'old'", str(last))
    again = skin_tune_here("train", pack, "epochs=2", "--storage", storage, "--resume", last)
    assert again.returncode == 0, again.stderr
    assert load_trials(storage)[["trial_id", "epochs", "status"]].to_numpy().tolist() == [["train", 2, "completed"]]
    assert load_epochs(storage)["trial_id"].tolist() == ["train"] * 2
    assert [folder.name for folder in (experiment / "checkpoints").iterdir()] == ["train"]


def test_a_training_can_be_refitted_without_saying_where_its_pack_is(make_pack: PackMaker, tmp_path: Path):
    pack, storage = make_pack().path, tmp_path / "runs"
    common = ("--storage", storage, "--name", "by-hand", "--metric", "val_macro_f1")
    assert skin_tune_here("train", pack, *SMALL, "epochs=1", *common).returncode == 0
    plan = plan_refit(RefitRequest("by-hand", storage=storage))
    assert (plan.trial, plan.metric, plan.pack.path) == ("by-hand", "val_macro_f1", pack)
    taken = skin_tune_here("tune", pack, "weights=none", "image_size=32", "batch_size=16", *common[:4], "--resume")
    assert_one_line_error(taken, "'by-hand'", "cannot be resumed")


def test_a_diverging_training_says_so_and_exits_1(make_pack: PackMaker, tmp_path: Path):
    extra = ("epochs=2", "learning_rate=1e30", "optimizer=sgd", "warmup_epochs=0")
    done = skin_tune_here("train", make_pack().path, *SMALL, *extra, "--storage", tmp_path / "runs")
    assert done.returncode == 1
    assert done.stderr.startswith("error: train_loss is")
    assert load_trials(tmp_path / "runs")["status"].tolist() == ["diverged"]


def test_mistakes_end_in_one_line_and_leave_nothing_behind(make_pack: PackMaker, tmp_path: Path):
    pack, storage = make_pack().path, tmp_path / "runs"
    wrong_space = tmp_path / "space.yaml"
    wrong_space.write_text("method: bayes\nparameters: {learning_rat: {value: 1}}\n")
    old = tmp_path / "old.arrow"
    current, other = (f'"format_version": {version}'.encode() for version in (FORMAT_VERSION, FORMAT_VERSION + 7))
    old.write_bytes(pack.read_bytes().replace(current, other))
    (tmp_path / "text.arrow").write_text("hello")
    for arguments, said in [
        (("train", tmp_path / "none.arrow"), ("none.arrow", "does not exist")),
        (("train", tmp_path / "text.arrow"), ("text.arrow", "is not a pack")),
        (("train", old), ("old.arrow", f"format version {FORMAT_VERSION + 7}")),
        (("tune", pack, "--trials", "many"), ("--trials", "many")),
        (("tune", pack, "--space", wrong_space), ("learning_rat", "learning_rate")),
        (("tune", pack, "--space", tmp_path / "no.yaml"), ("no.yaml",)),
        (("tune", pack, "weights=none", "image_size=64"), ("image_size=64", "pack's 32")),
        (("tune", pack, "weights=none", "image_size=32", "batch_size=4000"), ("batch_size=4000", "42 images")),
        (("tune", pack, "weights=absent.pth", "image_size=32", "batch_size=8"), ("absent.pth",)),
        (("tune", pack, "--time-budget", "soon"), ("'soon'", "30m")),
        (("tune", pack, *SMALL, "--name", "a/b"), ("'a/b'",)),
        (("tune", pack, *SMALL, "--trials", "0"), ("--trials 0",)),
        (("trials", "--storage", storage), ("no results below",)),
        (("prepare", tmp_path / "nowhere", "--region", "all"), ("nowhere", "does not exist")),
        (("inspect", tmp_path / "text.arrow"), ("is not a pack",)),
    ]:
        where = ("--storage", storage) if arguments[0] in ("train", "tune") else ()
        assert_one_line_error(skin_tune_here(*arguments, *where), *said)
    done = skin_tune("tune", pack, "epoch=3")
    assert_one_line_error(done, "'epoch'", "did you mean 'epochs'")
    assert not storage.exists()


@pytest.mark.parametrize("name", ["cluster.yaml", "cluster.local.yaml"])
def test_the_cluster_files_are_valid_for_rays_launcher(name: str):
    config = prepare_config(yaml.safe_load((ROOT / name).read_text()))
    validate_config(config)
    assert config["file_mounts"] == {"~/skin-tune": "."}


def test_a_resume_from_something_else_is_refused(make_pack: PackMaker, tmp_path: Path):
    torch.save({"a": 1}, tmp_path / "foreign.pt")
    done = skin_tune_here(
        "train", make_pack().path, "--resume", tmp_path / "foreign.pt", "--storage", tmp_path / "runs"
    )
    assert_one_line_error(done, "foreign.pt", "not a checkpoint")


@pytest.mark.parametrize("script", sorted((ROOT / "jobs").glob("*.py")), ids=lambda path: path.name)
def test_jobs_are_short_and_explain_themselves(script: Path):
    assert len(script.read_text().splitlines()) <= 40
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
