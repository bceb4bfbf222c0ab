"""The file of crops that packs of one preparation share: an Arrow file beside them.

Its columns are `image`, as in a pack, and `digest`, the hash of each image; `crops_id` is the hash of all.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.data.pack.layout.around_images import complete_around, start_of_images
from skin_tune.data.pack.layout.columns import check_columns, check_images, only_batch
from skin_tune.data.pack.layout.field_rules import wrong_id, wrong_size
from skin_tune.data.pack.layout.fields import read_metadata
from skin_tune.data.pack.layout.info import CROPS_KIND, METADATA_KEY, image_digest
from skin_tune.errors import PackError
from skin_tune.text.escaping import shown

_FORMAT_VERSION = 1

_DIGEST = pa.binary(16)


def crops_start(size: int) -> int:
    """The byte of a file of crops of `size` pixels at which they begin."""
    return start_of_images(size, _columns([bytes(16)]), _described(size, "0" * 32))


def complete_crops(path: Path, start: int, digests: Sequence[bytes], size: int) -> str:
    """Make a file of crops of one that has them, uint8 [N, size, size, 3], from byte `start` on; its `crops_id`.

    `digests` [N] are their hashes.
    """
    crops_id = id_of_crops(digests, size)
    shape = (len(digests), size, size, 3)
    complete_around(path, start, shape, _columns(digests), _described(size, crops_id))
    return crops_id


def id_of_crops(digests: Iterable[bytes], size: int) -> str:
    """The `crops_id` of crops of `size` pixels that have these hashes, in their order."""
    content = hashlib.blake2b(f"crops {size}\n".encode(), digest_size=16)
    for digest in digests:
        content.update(digest)
    return content.hexdigest()


def map_crops(file: Path) -> tuple[npt.NDArray[np.uint8], str]:
    """The images of a file of crops, mapped, uint8 [N, size, size, 3], and the `crops_id` that it claims.

    Raises PackError where it is no such file. What the system says is passed on as an OSError.
    """
    try:
        return _mapped(file)
    except PackError:
        raise
    except Exception as error:  # a foreign file can fail to be read in many ways
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise PackError("it is damaged, or of another kind") from None


def _mapped(file: Path) -> tuple[npt.NDArray[np.uint8], str]:
    source = pa.memory_map(str(file))
    reader = pa.ipc.open_file(source)
    about = read_metadata((reader.schema.metadata or {}).get(METADATA_KEY))
    if about.get("kind") != CROPS_KIND:
        raise PackError("it does not say that it holds crops")
    if about.get("format_version") != _FORMAT_VERSION:
        version = shown(about.get("format_version"))
        raise PackError(f"it has format version {version}, this program reads {_FORMAT_VERSION}")
    if problem := wrong_size(about.get("size")) or wrong_id(about.get("crops_id"), "crops_id"):
        raise PackError(problem)
    size, crops_id = about["size"], about["crops_id"]
    check_columns(reader.schema, {"digest": _DIGEST})
    check_images(reader.schema, size)
    batch = only_batch(reader, source, "digest", size * size * 3, ["image"])
    return batch.column("image").to_numpy_ndarray(), crops_id


def hashed_crops(file: Path) -> str:
    """The `crops_id` that a file of crops should claim, and something else for a file of another kind."""
    try:
        images, _ = map_crops(file)
    except PackError:
        return "unreadable"
    return id_of_crops((image_digest(image.tobytes()) for image in images), images.shape[1])


def _columns(digests: Sequence[bytes]) -> dict[str, Any]:
    return {"digest": pa.array(digests, _DIGEST)}


def _described(size: int, crops_id: str) -> bytes:
    about = {"kind": CROPS_KIND, "format_version": _FORMAT_VERSION, "size": size, "crops_id": crops_id}
    return json.dumps(about).encode()
