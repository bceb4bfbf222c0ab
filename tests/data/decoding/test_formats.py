"""Formats that are not read: each is told by its content, named, listed, and never taken for something else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.aihub import read_aihub
from skin_tune.data.sources.files import IMAGE_SUFFIXES, NO_PHOTO_SUFFIXES
from skin_tune.data.sources.request import PrepareRequest
from tests.data.image_files import BLUE, GREEN, RED, WHITE, Directory, assert_corners, read, refusal, tiff

Draw = Callable[..., Image.Image]

FILMS = {"mov": b"qt  ", "mp4": b"isom", "m4v": b"M4V ", "3gp": b"3gp4"}
UNREAD = [
    ("x.gif", b"GIF89a" + bytes(20), "GIF (.gif): save it as JPEG, PNG or TIFF"),
    ("x.jp2", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "JPEG 2000 (.jp2): save it as JPEG, PNG or TIFF"),
    ("x.j2k", b"\xff\x4f\xff\x51\0\x29", "JPEG 2000 (.j2k): save it"),
    ("x.jxl", b"\xff\x0a\xfa\x7f", "JPEG XL (.jxl): save it"),
    ("x.jxl", b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL (.jxl): save it"),
    ("x.jxr", b"II\xbc\x01", "JPEG XR"),
    ("x.psd", b"8BPS\0\1", "Photoshop (.psd): save it"),
    ("x.svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG (.svg): save it"),
    ("x.svg", b"\xef\xbb\xbf  <svg/>", "SVG (.svg): save it"),
    ("x.pdf", b"%PDF-1.7\n", "PDF (.pdf): save it"),
    ("x.dcm", bytes(128) + b"DICM", "DICOM (.dcm): save it"),
    ("x.avi", b"RIFF\0\0\0\0AVI LIST", "video (.avi): save a still of it as JPEG, PNG or TIFF"),
    ("x.mkv", b"\x1aE\xdf\xa3\x01", "video (.mkv): save a still"),
    ("old.mov", b"\0\0\0\x08wide\0\0\0\0mdat", "video (.mov): save a still"),
    ("x.raf", b"FUJIFILMCCD-RAW 0201", "camera raw (.raf): develop it and save it as JPEG, PNG or TIFF"),
    ("x.orf", b"IIRO\x08\0\0\0", "camera raw (.orf): develop it"),
    ("x.rw2", b"IIU\0\x18\0\0\0", "camera raw (.rw2): develop it"),
    ("x.crw", b"II\x1a\0\0\0HEAPCCDR", "camera raw (.crw): develop it"),
    ("x.x3f", b"FOVb\0\0\3\0", "camera raw (.x3f): develop it"),
    ("x.kdc", b"bytes of a format that nobody wrote down", "camera raw (.kdc): develop it"),
    ("wrong.jpg", b"%PDF-1.7\n", "PDF (.jpg): save it"),
    ("noname", b"GIF89a" + bytes(20), "GIF: save it"),
    ("x.cr3", b"\0\0\0\x18ftypcrx " + bytes(12), "camera raw (.cr3): develop it"),
    *((f"x.{name}", b"\0\0\0\x18ftyp" + brand + bytes(12), f"video (.{name}):") for name, brand in FILMS.items()),
]


@pytest.mark.parametrize(("name", "content", "detail"), UNREAD)
def test_a_format_that_is_not_read_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, detail: str
) -> None:
    (tmp_path / name).write_bytes(content)
    reason, said = refusal(tmp_path / name)
    assert reason == "format not read"
    assert detail in said


@pytest.mark.parametrize("name", ["x.gif", "x.pdf", "x.heic", "x.mov", "x.jpg", "empty.cr2"])
def test_what_is_no_picture_of_any_format_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"not a picture at all, whatever its name is")
    assert refusal(tmp_path / name) == ("unreadable image", "not an image file")


# A camera's raw file is a TIFF whose first picture is a small one


def thumbnail() -> tuple[Directory, bytes]:
    """Directory and pixels of a picture of 16 x 16."""
    pixels = bytes(range(192)) * 4
    tags = {256: (3, [16]), 257: (3, [16]), 258: (3, [8, 8, 8]), 259: (3, [1]), 262: (3, [2]), 273: (4, [8])}
    return tags | {277: (3, [3]), 278: (3, [16]), 279: (4, [len(pixels)])}, pixels


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("name", ["x.nef", "x.tif", "x.jpg"])
@pytest.mark.parametrize(
    "kind", ["sensor in the chain", "sensor below", "two below", "thumbnail of another", "DNG", "linear"]
)
def test_a_raw_file_is_told_from_a_tiff_by_what_is_in_it(tmp_path: Path, order: str, name: str, kind: str) -> None:
    tags, pixels = thumbnail()
    path = tmp_path / name
    assert read(tiff(tmp_path / "plain.tif", tags, order=order, data=pixels), 16).any()
    sensor = {256: (3, [16]), 257: (3, [16]), 262: (3, [32803 if kind != "linear" else 34892])}
    if kind == "DNG":
        tiff(path, tags | {50706: (4, [0x01040000])}, order=order, data=pixels)
    elif kind == "two below":
        below = 8 + len(pixels) + 2 + 12 * (len(tags) + 2) + 4 + 6 + 8
        tiff(path, tags | {254: (4, [1]), 330: (4, [below, below])}, sensor, order=order, data=pixels)
    elif kind == "thumbnail of another":
        below = 8 + len(pixels) + 2 + 12 * (len(tags) + 2) + 4 + 6
        tiff(path, tags | {254: (4, [1]), 330: (4, [below])}, tags, order=order, data=pixels)
    elif kind == "sensor below":
        below = 8 + len(pixels) + 2 + 12 * (len(tags) + 1) + 4 + 6
        tiff(path, tags | {330: (4, [below])}, sensor, order=order, data=pixels)
    else:
        tiff(path, tags, sensor, order=order, data=pixels)
    reason, detail = refusal(path)
    assert (reason, detail) == (
        "format not read",
        f"camera raw ({path.suffix}): develop it and save it as JPEG, PNG or TIFF",
    )


def test_a_cr2_is_told_by_its_mark(tmp_path: Path) -> None:
    tags, pixels = thumbnail()
    tiff(tmp_path / "x.jpg", tags | {273: (4, [16])}, data=b"CR\x02\0" + bytes(4) + pixels)
    assert refusal(tmp_path / "x.jpg")[0] == "format not read"


@pytest.mark.parametrize("suffix", [".NEF", ".dng", ".Arw"])
def test_a_tiff_that_is_named_like_a_raw_file_is_one(tmp_path: Path, suffix: str) -> None:
    tags, pixels = thumbnail()
    assert refusal(tiff(tmp_path / f"x{suffix}", tags, data=pixels))[0] == "format not read"


def test_a_jpeg_that_is_named_like_a_raw_file_is_read(tmp_path: Path, quadrants: Draw) -> None:
    quadrants(64, 64).save(tmp_path / "x.jpg")
    (tmp_path / "x.jpg").rename(tmp_path / "x.nef")
    assert_corners(read(tmp_path / "x.nef"), RED, GREEN, BLUE, WHITE)


def test_directories_in_a_circle_do_not_hold_anyone_up(tmp_path: Path) -> None:
    tags, pixels = thumbnail()
    tiff(tmp_path / "x.tif", tags | {330: (4, [8 + len(pixels)])}, data=pixels)
    assert read(tmp_path / "x.tif", 16).any()


# All of them are listed


def test_class_folders_overlook_no_file_of_a_format_that_is_not_read(
    tmp_path: Path, class_folders: Callable[..., Path]
) -> None:
    root = class_folders(tmp_path / "source", {"0": 20, "1": 20})
    for name, content, _ in UNREAD:
        if Path(name).suffix.lower() in IMAGE_SUFFIXES and "wrong" not in name:
            (root / "0" / name).write_bytes(content)
    (root / "papers").mkdir()
    (root / "papers" / "consent.pdf").write_bytes(b"%PDF-1.7\n")  # makes no class
    (root / "1" / "1-0.nef").touch()  # shows what 1-0.png shows
    (outcome,) = prepare(PrepareRequest([root], "neck", size=16, out=tmp_path / "packs"))
    assert outcome.info is not None
    assert outcome.info.classes == ["0", "1"]
    listed = [path.suffix.lower() for path in (root / "0").iterdir() if path.suffix != ".png"]
    films = [suffix for suffix in [*listed, ".pdf"] if suffix in NO_PHOTO_SUFFIXES]
    assert outcome.quarantined["format not read"] == len(listed) - len(films) + 1 > 10
    assert outcome.left_out == {
        "raw file beside its photo": 1,
        **{f"{s} file": films.count(s) for s in films},
    }
    assert ".dcm" in listed


def test_a_label_goes_with_the_photo_and_not_with_the_raw_file_beside_it(
    tmp_path: Path, add_label: Callable[..., Path], quadrants: Draw
) -> None:
    for n in range(10):
        folder, stem = tmp_path / "tree" / f"{n:04d}", f"{n:04d}_01_F"
        add_label(folder, stem, 1, {"forehead_wrinkle": n % 7})
        quadrants(160, 160 + n).save(folder / f"{stem}.png")
        (folder / f"{stem}.cr2").write_bytes(b"II*\0\x10\0\0\0CR\x02\0")
    manifest = read_aihub(PrepareRequest([tmp_path / "tree"], "forehead_wrinkle"))
    assert {row.photo.suffix for row in manifest.rows} == {".png"}
    assert len(manifest.rows) == 10
