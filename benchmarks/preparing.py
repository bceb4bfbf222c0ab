"""Photos to a pack: `prepare` against a plain Pillow loop over the same labels, and on more cores."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageChops

from benchmarks.rows import Row
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.regions import CATALOGUE
from skin_tune.storage.run_paths import CROPS_SUFFIX
from tests.data.icc import DISPLAY_P3, rgb_profile

_SIZE = 256
_WIDTH, _HEIGHT = 2136, 3216  # of the cameras of AI-Hub data set 71645
_SMALL_WIDTH = 427  # of the copies of that data set that are handed round
_BOXES = {  # of a face that fills the photo, by face part
    1: (500, 676, 1623, 1139),
    2: (930, 1100, 1200, 1400),
    3: (191, 1432, 411, 1817),
    4: (1725, 1432, 1945, 1817),
    5: (420, 1650, 900, 2250),
    6: (1240, 1650, 1720, 2250),
    7: (800, 2200, 1340, 2500),
    8: (640, 2450, 1500, 2800),
}


def measure(photos: int = 512) -> list[Row]:
    """Ratios of photos per second, the plain loops see a sixteenth of the photos; bytes written; memory."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = _tree(folder / "few", photos // 16), _tree(folder / "many", photos)
        tagged = _tree(folder / "tagged", photos // 16, rgb_profile(DISPLAY_P3))
        with _on([cores[0]]):
            png, jpeg = (
                _pace(partial(_plain_loop, ".png"), few, folder),
                _pace(partial(_plain_loop, ".jpg"), few, folder),
            )
            one_core = _pace(_prepare, many, folder)
            costs = [(_cpu(tagged, folder), _cpu(few, folder)) for _ in range(5)]
        all_cores = _pace(_prepare, many, folder)
        small = _tree(folder / "small", 2 * photos, width=_SMALL_WIDTH)
        with _on([cores[0]]):
            plain = _pace(partial(_plain_loop, ".jpg"), small, folder)
        clock = plain / _pace(_prepare, small, folder)
        written, memory = _command_costs(small, folder)
        shared = _shared_bytes(few, folder)
    with_profile, without = (min(cost) for cost in zip(*costs, strict=True))
    converting = with_profile / without
    faster, linear = one_core / png, all_cores / one_core / len(cores)
    return [
        Row("preparing photos / a plain Pillow loop that writes PNG, one core", faster, "ratio", ">= 2", faster >= 2),
        Row("preparing photos / a plain Pillow loop that writes JPEG, one core", one_core / jpeg, "ratio", "-", True),
        Row(f"preparing photos on {len(cores)} cores / one, a core", linear, "ratio", ">= 0.85", linear >= 0.85),
        Row(
            "CPU time of Display P3 photos / of photos without a profile",
            converting,
            "ratio",
            "<= 1.15",
            converting <= 1.15,
        ),
        Row("preparing photos of 6.9 megapixels, 11 crops each, one core", one_core, "photos/s", "-", True),
        Row(
            f"time to prepare photos of 0.27 megapixels, {len(cores)} cores / a plain loop to JPEG, one core",
            clock,
            "ratio",
            "<= 0.6",
            clock <= 0.6,
        ),
        Row("bytes written by preparing / bytes of its packs", written, "ratio", "<= 1.05", written <= 1.05),
        Row("bytes of all regions' packs / of each prepared alone", shared, "ratio", "<= 0.75", shared <= 0.75),
        Row(f"anonymous memory of preparing on {len(cores)} cores", memory, "MB", "<= 200", memory <= 200),
    ]


def _tree(root: Path, photos: int, profile: bytes | None = None, width: int = _WIDTH) -> Path:
    """Labels and photos of as many subjects, in AI-Hub's layout; each photo `width` pixels wide, with `profile`."""
    rng = np.random.default_rng(0)
    height = round(width * _HEIGHT / _WIDTH)
    coarse = Image.fromarray(rng.integers(90, 200, (40, 27, 3), dtype=np.uint8)).resize((width, height))
    grain = rng.integers(-6, 7, (height, width, 3), dtype=np.int16)
    skin = Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))
    boxes = {part: [round(edge * width / _WIDTH) for edge in box] for part, box in _BOXES.items()}
    keys = defaultdict(list)
    for region in CATALOGUE.values():
        for view in region.views:
            keys[view.facepart].append((view.key, region.classes))
    for number in range(photos):
        subject, photo = f"{number:04d}", f"{number:04d}_01_F"
        labels, images = root / "label" / "01" / subject, root / "img" / "01" / subject
        labels.mkdir(parents=True)
        images.mkdir(parents=True)
        moved = ImageChops.offset(skin, 13 * number, 7 * number)  # none is alike
        moved.save(images / f"{photo}.jpg", quality=90, icc_profile=profile)
        for part, box in boxes.items():
            label = {
                "info": {"filename": f"{photo}.jpg", "id": subject},
                "images": {"device": 0, "width": width, "height": height, "angle": 0, "facepart": part, "bbox": box},
                "annotations": {key: number % classes for key, classes in keys[part]},
            }
            (labels / f"{photo}_{part:02d}.json").write_text(json.dumps(label))
    return root


def _pace(work: Callable[[Path, Path], None], tree: Path, folder: Path) -> float:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as out:
        work(tree, Path(out))
    return len(list(tree.rglob("*.jpg"))) / (time.perf_counter() - started)


def _cpu(tree: Path, folder: Path) -> float:
    """Seconds of CPU that preparing takes, on one core and so in this process."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        started = time.process_time()
        _prepare(tree, Path(out))
        return time.process_time() - started


def _command_costs(tree: Path, folder: Path) -> tuple[float, float]:
    """Bytes that `skin-tune prepare` writes as a share of its packs', and the most MB of anonymous memory it takes."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        words = ["prepare", str(tree), "--region", "all", "--size", str(_SIZE), "--out", out]
        command = psutil.Popen([sys.executable, "-m", "skin_tune", *words], stdout=subprocess.DEVNULL)
        written, most = 0, 0
        while command.poll() is None:
            with suppress(psutil.Error):
                written = max(written, command.io_counters().write_chars)  # a child's count is added once it has ended
                family = [command, *command.children(recursive=True)]
                most = max(most, sum(map(_anonymous, family)))
            time.sleep(0.01)
        return written / _pack_bytes(Path(out)), most / 1e6


def _shared_bytes(tree: Path, folder: Path) -> float:
    """Bytes of the packs of all regions, prepared in one go, as a share of those of each region by itself."""
    with tempfile.TemporaryDirectory(dir=folder) as together, tempfile.TemporaryDirectory(dir=folder) as alone:
        _prepare(tree, Path(together))
        for region in CATALOGUE:
            prepare(PrepareRequest([tree], region, size=_SIZE, out=Path(alone)))
        return _pack_bytes(Path(together)) / _pack_bytes(Path(alone))


def _pack_bytes(folder: Path) -> int:
    """Of packs and the files of crops that they share."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.suffix in (".arrow", CROPS_SUFFIX))


def _anonymous(process: psutil.Process) -> int:
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def _prepare(tree: Path, out: Path) -> None:
    prepare(PrepareRequest([tree], "all", size=_SIZE, out=out))


def _plain_loop(suffix: str, tree: Path, out: Path) -> None:
    parts = defaultdict(list)
    for file in tree.rglob("*.json"):
        label = json.loads(file.read_text())
        parts[label["info"]["filename"]].append((label["images"]["bbox"], label["annotations"]))
    for file in tree.rglob("*.jpg"):
        photo = Image.open(file).convert("RGB")
        for number, (box, grades) in enumerate(parts[file.name]):
            crop = photo.crop(box).resize((_SIZE, _SIZE), Image.Resampling.BILINEAR)
            for key, grade in grades.items():
                (out / key / str(grade)).mkdir(parents=True, exist_ok=True)
                crop.save(out / key / str(grade) / f"{file.stem}_{number}{suffix}")


@contextmanager
def _on(cores: list[int]) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
