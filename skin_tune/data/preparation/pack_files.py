"""From crops in a file to packs: one that holds them, or several and the file that they share."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skin_tune.data.pack.crops.file import complete_crops
from skin_tune.data.pack.layout.info import SHARING_VERSION, PackInfo, SharedCrops
from skin_tune.data.pack.writer import PackRows, complete_pack, write_sharing_pack
from skin_tune.data.preparation.cutting import close_gaps
from skin_tune.data.preparation.pack_builder import Chosen
from skin_tune.data.preparation.places import CropFile
from skin_tune.data.preparation.side_tables import write_joined, write_quarantine
from skin_tune.storage.photo_columns import ABOUT
from skin_tune.storage.run_paths import crops_name, joined_path, quarantine_path


def write_packs(packs: Sequence[Chosen], crops: CropFile) -> list[Path]:
    """Make packs of regions whose crops are all in the file `crops`, and the tables beside them.

    Returns the files, all in the folder of `crops`, which is used up: it becomes the one pack, or what they share.
    """
    folder = crops.path.parent
    if len(packs) == 1 and _is_in_order(packs[0]):
        files = [_whole_pack(packs[0], crops)]
    else:
        files = _sharing_packs(packs, crops)
    for pack in packs:
        path = pack.outcome.path
        files.append(write_quarantine(folder / quarantine_path(path).name, pack.quarantined))
        if pack.joined:
            files.append(write_joined(folder / joined_path(path).name, pack.joined))
    return files


def _is_in_order(pack: Chosen) -> bool:
    """Whether each row has a crop of its own, and they lie in the order of the rows."""
    places = [cut.place for cut in pack.usable.cuts]
    return places == sorted(set(places))


def _whole_pack(pack: Chosen, crops: CropFile) -> Path:
    info = _info_of(pack)
    close_gaps(crops, [cut.place for cut in pack.usable.cuts], info.size)
    complete_pack(crops.path, crops.start, _rows_of(pack), info)
    return crops.path.rename(crops.path.with_name(pack.outcome.path.name))


def _sharing_packs(packs: Sequence[Chosen], crops: CropFile) -> list[Path]:
    """The file of crops, then the packs: where they appear one after another none is there without its crops."""
    size = _info_of(packs[0]).size
    digest_at = {cut.place: cut.digest for pack in packs for cut in pack.usable.cuts}
    kept = sorted(digest_at)
    close_gaps(crops, kept, size)
    crops_id = complete_crops(crops.path, crops.start, [digest_at[place] for place in kept], size)
    name = crops_name([pack.outcome.region for pack in packs], size, crops_id)
    files = [crops.path.rename(crops.path.with_name(name))]
    for pack in packs:
        info = replace(_info_of(pack), crops=SharedCrops(name, crops_id), format_version=SHARING_VERSION)
        pack.outcome.info = info
        files.append(crops.path.with_name(pack.outcome.path.name))
        places = np.searchsorted(kept, [cut.place for cut in pack.usable.cuts])
        write_sharing_pack(files[-1], places.astype(np.int32), _rows_of(pack), info)
    return files


def _info_of(pack: Chosen) -> PackInfo:
    assert pack.outcome.info is not None  # its rows were chosen
    return pack.outcome.info


def _rows_of(pack: Chosen) -> PackRows:
    usable = pack.usable
    return PackRows(
        label=usable.labels,
        split=pack.split,
        subject=usable.subjects,
        source=[row.source for row in usable.rows],
        about={name: [row.about.get(name) for row in usable.rows] for name in ABOUT},
    )
