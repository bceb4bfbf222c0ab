"""Packs that share their crops, written by the same writers as those of `prepare`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from skin_tune.data.pack.crops.file import complete_crops, crops_start
from skin_tune.data.pack.format import Pack
from skin_tune.data.pack.layout.info import SHARING_VERSION, SharedCrops, image_digest
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.data.pack.writer import PackRows, write_sharing_pack
from skin_tune.storage.run_paths import crops_name


def write_crops(path: Path, images: np.ndarray) -> str:
    """A file of crops; its id."""
    start = crops_start(images.shape[1])
    path.write_bytes(bytes(start) + images.tobytes())
    return complete_crops(path, start, [image_digest(image.tobytes()) for image in images], images.shape[1])


def share(folder: Path, *packs: Pack) -> list[Path]:
    """Write `packs` into `folder` as ones that share the images of all, in the order of their hashes; the new paths."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {image_digest(image.tobytes()): image for pack in packs for image in pack.images}
    digests = sorted(images)
    crops_id = write_crops(folder / "new.crops", np.stack([images[digest] for digest in digests]))
    name = crops_name([pack.info.region for pack in packs], packs[0].info.size, crops_id)
    (folder / "new.crops").rename(folder / name)
    written = []
    for pack in packs:
        places = [digests.index(image_digest(image.tobytes())) for image in pack.images]
        info = replace(pack.info, crops=SharedCrops(name, crops_id), format_version=SHARING_VERSION)
        written.append(folder / f"{info.region}-{info.size}.arrow")
        write_sharing_pack(written[-1], np.array(places, np.int32), rows_of(pack), info)
    return written


def rows_of(pack: Pack) -> PackRows:
    return PackRows(
        label=pack.labels.astype(np.int16),
        split=np.array([SPLITS.index(part) for part in pack.split], np.int8),
        subject=pack.subjects.tolist(),
        source=pack.sources.tolist(),
        about={name: values.tolist() for name, values in pack.about.items()},
    )


def crops_beside(pack: Path) -> Path:
    """The one file of crops beside a pack."""
    (found,) = pack.parent.glob("*.crops")
    return found
