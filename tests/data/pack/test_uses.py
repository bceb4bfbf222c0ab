"""Experiments leave a note beside their pack; a pack that was used is not overwritten unawares."""

import json
import shutil
from pathlib import Path

from skin_tune.data.pack.uses import forget_use, note_use, uses_of
from skin_tune.storage.run_paths import RunPaths, pack_uses
from tests.cli_runner import skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.data.lab import Lab
from tests.local import local
from tests.special_files import pipe


def test_notes_beside_a_pack_may_be_anything(tmp_path: Path):
    pack = write_synthetic_pack(tmp_path / "packs" / "acne-32.arrow", region="acne")
    note_use(pack, RunPaths(tmp_path / "runs"), "sound")
    notes = pack_uses(pack.path)
    pipe(local(notes / "pipe.json"))
    (notes / "deep.json").write_text("[" * 100_000)
    (notes / "list.json").write_text("[1]")
    for number, name in enumerate((["x"], 5, "../../x", "\x1b[31m")):
        note = {"experiment": name, "storage": str(tmp_path), "pack_id": pack.info.pack_id}
        (notes / f"other{number}.json").write_text(json.dumps(note))
    assert uses_of(pack.path, "acne", pack.info.pack_id) == [f"sound (in {tmp_path / 'runs'})"]


def test_experiments_of_one_name_in_two_storages_are_both_noted(tmp_path: Path):
    pack = write_synthetic_pack(tmp_path / "packs" / "acne-32.arrow", region="acne")
    here, there = (RunPaths(tmp_path / name) for name in ("here", "there"))
    for paths in (here, there, here):
        note_use(pack, paths, "first")
    users = {f"first (in {paths.storage})" for paths in (here, there)}
    assert sorted(uses_of(pack.path, "acne", pack.info.pack_id)) == sorted(users)
    forget_use(pack, here, "first")
    assert uses_of(pack.path, "acne", pack.info.pack_id) == [f"first (in {there.storage})"]


def test_a_pack_that_experiments_were_run_on_is_not_overwritten_unawares(lab: Lab) -> None:
    file = lab.graded(["0", "1"], each=8)
    before, _ = lab.packed(file)
    lab.packed(file, "--split-seed", "1")  # nobody has used it
    pack, _ = lab.packed(file)
    assert pack.info.pack_id == before.info.pack_id
    storage = lab.folder / "runs"
    train = ("train", pack.path, "--storage", storage, "--wandb", "disabled")
    config = ("backbone=resnet18", "weights=none", "image_size=16", "batch_size=4", "epochs=1")
    done = skin_tune_here(*train, "--name", "by-hand", *config)
    assert done.returncode == 0, done.stderr
    lab.packed(file)  # the same pack again
    said = lab.refused(file, "--split-seed", "1")
    assert f"would change, and experiments were run on it: by-hand (in {storage})" in said
    assert "--replace" in said
    replaced, _ = lab.packed(file, "--split-seed", "1", "--replace")
    assert replaced.info.pack_id != before.info.pack_id
    lab.packed(file)  # nobody has used that one
    shutil.rmtree(storage / "experiments")
    lab.packed(file, "--split-seed", "1")  # the experiment is no more
