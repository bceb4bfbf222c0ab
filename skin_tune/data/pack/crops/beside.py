"""Finding the file of crops of a pack: beside it, on this machine's disks or in its bucket."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skin_tune.data.pack.crops.file import hashed_crops, map_crops
from skin_tune.data.pack.file import PackFile
from skin_tune.data.pack.layout.fields import CropsFileError
from skin_tune.data.pack.layout.info import PackInfo, SharedCrops
from skin_tune.data.pack.node_cache import node_copy
from skin_tune.errors import PackError
from skin_tune.storage.files import Location, is_regular

Find = Callable[[SharedCrops], tuple[Path, str]]
"""Gives the file on this machine, and its name in messages. Raises CropsFileError where there is none."""


def find_beside(pack: Path, crops: SharedCrops) -> tuple[Path, str]:
    """Beside `pack`, or beside the file that it is a link to."""
    for folder in (pack.parent, pack.resolve().parent):
        if is_regular(folder / crops.file):
            return folder / crops.file, str(folder / crops.file)
    raise _unfit(crops.file, "and there is no such file")


@contextmanager
def found_in_bucket(folder: Location) -> Iterator[Find]:
    """Finds copies, on this machine, of files of crops in `folder`; they stay where they are until the end."""
    with ExitStack() as held:

        @cache
        def find(crops: SharedCrops) -> tuple[Path, str]:
            source = folder / crops.file
            try:
                return held.enter_context(node_copy(source, _copy_id(crops.crops_id), _hashed)), str(source)
            except FileNotFoundError:
                raise _unfit(crops.file, "and there is no such file") from None
            except PackError as error:
                raise CropsFileError(f"needs {crops.file!r} beside it: {error}") from None

        yield find


def _copy_id(crops_id: str) -> str:
    """The name of a copy, which no pack's can have: a pack that claims the id of its crops would wait for itself."""
    return f"crops-{crops_id}"


def _hashed(file: Path) -> str:
    return _copy_id(hashed_crops(file))


def crops_of(info: PackInfo, crops: SharedCrops, opened: PackFile, find: Find) -> npt.NDArray[np.uint8]:
    """The images, uint8 [M, size, size, 3], of the file that `info` names, which `opened` watches from now on."""
    file, name = find(crops)
    opened.watch(file, name)
    try:
        images, crops_id = map_crops(file)
    except PackError as error:
        raise _unfit(crops.file, f"and there it holds no crops: {error}") from None
    if crops_id != crops.crops_id:
        raise _unfit(crops.file, f"and there it holds other crops, {crops_id} in place of {crops.crops_id}")
    if images.shape[1] != info.size:
        raise _unfit(crops.file, f"and there it has crops of {images.shape[1]} px in place of {info.size}")
    return images


def _unfit(name: str, why: str) -> CropsFileError:
    return CropsFileError(f"needs {name!r} beside it, {why}; copy both files, or prepare it again")
