"""Regions that are graded on one crop are prepared together as they are alone, and their packs share its pixels."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import skin_tune.data.preparation.prepare as prepare_module
from skin_tune.data.pack.format import Pack, content_of, open_pack
from skin_tune.data.pack.uses import note_use
from skin_tune.data.preparation.cutting import cut_all
from skin_tune.data.preparation.pack_builder import Prepared, choose_rows
from skin_tune.data.preparation.pack_files import write_packs
from skin_tune.data.preparation.places import CropFile
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.preparation.sharing import sharing_regions
from skin_tune.data.sources.aihub import read_aihub
from skin_tune.data.sources.manifest import Manifest, Row
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.data.synthetic.dataset import draw_sample
from skin_tune.errors import PackError
from skin_tune.storage.files import Location, download, upload
from skin_tune.storage.run_paths import RunPaths
from tests.conftest import Bucket
from tests.data.pack.sharing import crops_beside
from tests.data.preparation.outcome import files_in, quarantine
from tests.local import local

AddLabel = Callable[..., Path]
Cli = Callable[..., tuple[int, str]]
Draw = Callable[..., Image.Image]
FOREHEAD = "forehead_wrinkle,forehead_pigmentation"


def packs_of(source: Path, regions: str, out: Path, **options: Any) -> dict[str, Pack]:
    outcomes = prepare(PrepareRequest([source], regions, out=out, **({"size": 32} | options)))
    return {outcome.region: open_pack(outcome.path) for outcome in outcomes if not outcome.error}


def assert_same(pack: Pack, other: Pack) -> None:
    assert pack.info.pack_id == other.info.pack_id == content_of(pack)
    assert (pack.info.classes, pack.info.counts) == (other.info.classes, other.info.counts)
    for column in ("images", "labels", "subjects", "split", "sources"):
        np.testing.assert_array_equal(getattr(pack, column), getattr(other, column))
    for name, values in pack.about.items():
        np.testing.assert_array_equal(values, other.about[name])


def crops_in(folder: Path) -> list[str]:
    return [name for name in files_in(folder) if name.endswith(".crops")]


def test_each_region_is_what_it_is_alone_and_a_crop_of_two_is_written_once(tree: Path, tmp_path: Path):
    together = packs_of(tree, "all", tmp_path / "together", size=100)
    for region, pack in together.items():
        (alone,) = packs_of(tree, region, tmp_path / "alone", size=100).values()
        assert_same(pack, alone)
        assert alone.info.crops is None
        if pack.info.crops is None:
            assert local(pack.path).read_bytes() == local(alone.path).read_bytes()
    assert {region for region, pack in together.items() if pack.info.crops is not None} == {
        "forehead_wrinkle",
        "forehead_pigmentation",
        "cheek_pigmentation",
        "cheek_pore",
    }
    shared, unshared = (
        sum(file.stat().st_size for file in (tmp_path / folder).iterdir()) for folder in ("together", "alone")
    )
    assert 8 / 11 < shared / unshared < 0.75


def test_photos_of_the_sample_give_the_same_pair_alone_and_together(tmp_path: Path):
    draw_sample(tmp_path / "sample", subjects=21, seed=0)
    for region, pack in packs_of(tmp_path / "sample", "cheek_pigmentation,cheek_pore", tmp_path / "both").items():
        (alone,) = packs_of(tmp_path / "sample", region, tmp_path / "alone").values()
        assert_same(pack, alone)
    assert len(crops_in(tmp_path / "both")) == 1


def test_a_label_of_the_release_is_graded_twice_on_one_crop(real_data: Path, tmp_path: Path, coordinates: Draw):
    label = json.loads((real_data / "0001_01_R15_01.json").read_text())
    shutil.copy(real_data / "0001_01_R15_01.json", tmp_path)
    width, height = label["images"]["width"], label["images"]["height"]
    Image.effect_noise((width, height), 60).convert("RGB").save(tmp_path / label["info"]["filename"])
    rows = read_aihub(PrepareRequest([tmp_path], "all")).rows
    assert {row.region for row in rows} == set(FOREHEAD.split(","))
    assert sharing_regions(rows, sorted({row.region for row in rows})) == [sorted(FOREHEAD.split(","))]
    file = CropFile(tmp_path / "crops")
    cuts = cut_all(rows, {row.region: file for row in rows}, 32, lambda done, total: None)
    assert [cut.place for cut in cuts] == [0, 0]
    assert file.path.stat().st_size == 32 * 32 * 3


def test_a_row_that_one_region_cannot_use_is_the_others_all_the_same(tree: Path, tmp_path: Path, add_label: AddLabel):
    labels, photos = tree / "label" / "01", tree / "img" / "01"
    shutil.copyfile(photos / "0000/0000_01_F.jpg", photos / "0007/0007_01_F.jpg")  # wrinkles 0 and 0, pigment 0 and 1
    add_label(labels / "0003", "0003_01_F", 1, {"forehead_wrinkle": 3, "forehead_pigmentation": 9}, [1, 20, 33, 52])
    add_label(labels / "0004", "0004_01_F", 1, {"forehead_wrinkle": 4}, [1, 20, 33, 52])
    (photos / "0005/0005_01_F.jpg").write_bytes(b"no image")
    together = packs_of(tree, FOREHEAD, tmp_path / "together")
    for region, pack in together.items():
        (alone,) = packs_of(tree, region, tmp_path / "alone").values()
        assert_same(pack, alone)
        assert quarantine(local(pack.path)) == quarantine(local(alone.path))
    assert [len(pack.labels) for pack in together.values()] == [20, 16]
    crops = crops_beside(local(together["forehead_wrinkle"].path))
    assert len(pa.ipc.open_file(pa.memory_map(str(crops))).read_all()) == 20


def test_where_one_region_gives_no_pack_the_other_holds_its_crops(tree: Path, tmp_path: Path, skin_tune: Cli):
    for n in range(5, 21, 6):  # all of grade 5
        file = tree / f"label/01/{n:04d}/{n:04d}_01_F_01.json"
        label = json.loads(file.read_text())
        del label["annotations"]["forehead_pigmentation"]
        file.write_text(json.dumps(label))
    (tree / "img/01/0002/0002_01_F.jpg").write_bytes(b"no image")
    code, printed = skin_tune("prepare", tree, "--region", FOREHEAD, "--size", 32, "--out", tmp_path / "packs")
    assert code == 2
    assert "forehead_pigmentation: class 5 has no training image" in printed
    assert files_in(tmp_path / "packs") == ["forehead_wrinkle-32.arrow", "forehead_wrinkle-32.quarantine.csv"]
    (alone,) = packs_of(tree, "forehead_wrinkle", tmp_path / "alone").values()
    assert (tmp_path / "packs/forehead_wrinkle-32.arrow").read_bytes() == local(alone.path).read_bytes()


def test_one_region_that_is_left_of_crops_in_another_order_keeps_its_rows_order(tmp_path: Path, coordinates: Draw):
    photos = [tmp_path / f"{n}.png" for n in range(6)]
    for n, photo in enumerate(photos):
        coordinates(40, 40, n).save(photo)
    rows = [Row("a", photo, photo.name, 0, photo.name) for photo in photos]
    rows += [Row("b", photo, photo.name, n % 2, photo.name) for n, photo in enumerate(reversed(photos))]
    (tmp_path / "new").mkdir()
    file = CropFile(tmp_path / "new" / "a.crops", start=8192)
    cuts = cut_all(rows, {"a": file, "b": file}, 32, lambda done, total: None)
    outcome = Prepared("b", tmp_path / "b-32.arrow")
    request = PrepareRequest([tmp_path], "b", size=32, split_ratios=(80, 20, 0))
    of_b = [(row, cut) for row, cut in zip(rows, cuts, strict=True) if row.region == "b"]
    files = write_packs([choose_rows(outcome, of_b, Manifest({"b": ["0", "1"]}), request)], file)
    pack = open_pack(next(path for path in files if path.suffix == ".arrow"))
    assert pack.images[:][:, 0, 0, 2].tolist() == [5, 4, 3, 2, 1, 0]
    assert content_of(pack) == pack.info.pack_id


def test_the_disk_is_asked_for_what_is_written_and_little_more(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[int] = []
    monkeypatch.setattr(prepare_module, "check_space", lambda folder, packs, *_: asked.extend(packs))
    packs_of(tree, "all", tmp_path / "packs", size=64)
    written = sum(file.stat().st_size for file in (tmp_path / "packs").iterdir() if file.suffix != ".csv")
    assert len(asked) == 8 + 2
    assert written <= sum(asked) < written + len(asked) * 32_000


def test_inspect_and_prepare_name_the_file_that_goes_with_a_pack(tree: Path, tmp_path: Path, skin_tune: Cli):
    _, printed = skin_tune("prepare", tree, "--region", FOREHEAD, "--size", 32, "--out", tmp_path / "packs")
    (crops,) = crops_in(tmp_path / "packs")
    assert " ".join(printed.split()).count(f"its crops are shared: they lie beside it in {crops}") == 2
    _, printed = skin_tune("inspect", tmp_path / "packs/forehead_wrinkle-32.arrow")
    assert f"its crops are shared: they lie beside it in {crops}" in " ".join(printed.split())
    (tmp_path / "packs" / crops).unlink()
    code, printed = skin_tune("inspect", tmp_path / "packs/forehead_wrinkle-32.arrow")
    assert code == 2
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert "copy both files" in printed


# What becomes of a file of crops


def changed(tree: Path, subject: int = 3) -> None:
    path = tree / f"img/01/{subject:04d}/{subject:04d}_01_F.jpg"
    with Image.open(path) as photo:
        pixels = photo.convert("RGB")
    pixels.putpixel((10, 30), (255, 255, 255))
    pixels.save(path, "PNG")


def test_crops_go_with_the_last_pack_that_has_them(tree: Path, tmp_path: Path):
    packs_of(tree, FOREHEAD, tmp_path / "packs")
    before = crops_in(tmp_path / "packs")
    packs_of(tree, FOREHEAD, tmp_path / "packs", split_seed=1)
    assert crops_in(tmp_path / "packs") == before  # the same crops, split anew
    changed(tree)
    (alone,) = packs_of(tree, "forehead_wrinkle", tmp_path / "packs").values()
    assert alone.info.crops is None
    assert crops_in(tmp_path / "packs") == before
    open_pack(tmp_path / "packs/forehead_pigmentation-32.arrow")
    packs_of(tree, "forehead_pigmentation", tmp_path / "packs")
    assert crops_in(tmp_path / "packs") == []


def test_new_crops_replace_old_ones_unless_another_pack_has_them(tree: Path, tmp_path: Path):
    out = tmp_path / "packs"
    packs_of(tree, FOREHEAD, out)
    (first,) = crops_in(out)
    changed(tree)
    packs_of(tree, FOREHEAD, out)
    (second,) = crops_in(out)
    assert second != first
    shutil.copyfile(out / "forehead_wrinkle-32.arrow", out / "kept.arrow")
    (out / "text.arrow").write_text("no pack")
    changed(tree, 4)
    packs_of(tree, FOREHEAD, out)
    assert second in crops_in(out)
    assert len(crops_in(out)) == 2
    open_pack(out / "kept.arrow")
    (out / "kept.arrow").unlink()
    packs_of(tree, FOREHEAD, out)
    assert second in crops_in(out)  # no pack that was replaced now had it


def test_a_pack_that_is_not_overwritten_keeps_its_crops(tree: Path, tmp_path: Path):
    out = tmp_path / "packs"
    used = packs_of(tree, FOREHEAD, out)["forehead_wrinkle"]
    before = crops_in(out)
    note_use(used, RunPaths(tmp_path / "runs"), "first")
    changed(tree)
    outcomes = {each.region: each for each in prepare(PrepareRequest([tree], FOREHEAD, size=32, out=out))}
    assert "would change, and experiments were run on it: first" in outcomes["forehead_wrinkle"].error
    assert crops_in(out) == before
    assert open_pack(used.path, used.info.pack_id).info == used.info
    other = open_pack(out / "forehead_pigmentation-32.arrow")
    assert (other.info.crops, content_of(other)) == (None, other.info.pack_id)
    packs_of(tree, FOREHEAD, out, replace=True)
    assert len(crops_in(out)) == 1
    assert crops_in(out) != before


# In a bucket


def test_crops_in_a_bucket_are_fetched_once_for_both_packs(
    tree: Path, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
):
    fetched: list[str] = []

    def noted(path: Location, file: Path) -> None:
        fetched.append(path.suffix)
        download(path, file)

    monkeypatch.setattr("skin_tune.data.pack.node_cache.download", noted)
    monkeypatch.setenv("SKIN_TUNE_CACHE_GB", "0")  # what is being opened stays all the same
    alone = packs_of(tree, FOREHEAD, tmp_path / "local")
    for region, pack in packs_of(tree, FOREHEAD, bucket.path / "packs").items():  # type: ignore[arg-type]
        assert_same(pack, alone[region])
        assert str(pack.path).startswith("s3://")
        pack.check()
    assert fetched == [".arrow", ".crops", ".arrow"]
    fetched.clear()
    monkeypatch.setenv("SKIN_TUNE_CACHE_GB", "1")
    monkeypatch.setenv("SKIN_TUNE_CACHE", str(tmp_path / "another"))
    for pack in alone.values():
        open_pack(bucket.path / "packs" / pack.path.name)
    assert sorted(fetched) == [".arrow", ".arrow", ".crops"]
    bucket.outage.touch()
    for pack in alone.values():
        assert_same(open_pack(bucket.path / "packs" / pack.path.name, pack.info.pack_id), pack)


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_crops_of_a_bucket_are_checked_as_they_are_fetched(tree: Path, tmp_path: Path, bucket: Bucket, how: str):
    prepare(PrepareRequest([tree], FOREHEAD, size=32, out=bucket.path / "packs"))  # type: ignore[arg-type]
    (crops,) = (bucket.path / "packs").glob("*.crops")
    if how == "missing":
        crops.unlink()
    else:
        content = bytearray(crops.read_bytes())
        content[len(content) // 2] ^= 255
        crops.write_bytes(bytes(content))
    with pytest.raises(PackError, match=f"s3://.* needs '{crops.name}' beside it.*prepare it again") as caught:
        open_pack(bucket.path / "packs" / "forehead_wrinkle-32.arrow")
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "cache" / "packs").iterdir() if not path.suffix]


@pytest.mark.timeout(60)
def test_a_pack_in_a_bucket_that_claims_the_id_of_its_crops_waits_for_nobody(
    tree: Path, tmp_path: Path, bucket: Bucket
):
    pack = packs_of(tree, FOREHEAD, tmp_path / "packs")["forehead_wrinkle"]
    assert pack.info.crops is not None
    for file in (local(pack.path), crops_beside(local(pack.path))):
        upload(file, bucket.path / file.name)
    with pytest.raises(PackError, match=f"is damaged: its content is {pack.info.pack_id}, not"):
        open_pack(bucket.path / pack.path.name, pack.info.crops.crops_id)


def test_new_crops_in_a_bucket_leave_no_old_ones(tree: Path, bucket: Bucket):
    out = bucket.path / "packs"
    packs_of(tree, FOREHEAD, out)  # type: ignore[arg-type]
    (before,) = out.glob("*.crops")
    changed(tree)
    packs_of(tree, FOREHEAD, out)  # type: ignore[arg-type]
    (after,) = out.glob("*.crops")
    assert before.name != after.name
