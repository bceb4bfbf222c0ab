"""A pack's metadata, and the hash of its content that is its id."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from skin_tune.data.pack.layout.fields import checked_crops, checked_fields, checked_version, read_metadata
from skin_tune.errors import PackError

FORMAT_VERSION = 2

SHARING_VERSION = 3
"""Of a pack whose crops are in a file beside it."""

READABLE_VERSIONS = (1, FORMAT_VERSION, SHARING_VERSION)
"""Version 1 has no `ordinal` and, of ABOUT, device and angle alone."""


_SINCE_VERSION_2 = ("ordinal", "split_given")


METADATA_KEY = b"skin_tune"

CROPS_KIND = "crops"
"""What a file of crops says it is; a pack does not say."""


@dataclass(frozen=True)
class SharedCrops:
    """The file of crops that a pack shares with others."""

    file: str
    """Its name: it lies beside the pack."""
    crops_id: str
    """Hash of the images in it."""


@dataclass(frozen=True)
class PackInfo:
    """A pack's metadata, stored as JSON under `skin_tune` in its schema metadata."""

    region: str
    classes: list[str]
    """Class names, in ordinal order where there is one; `label` is an index into them."""
    size: int
    """Side of every image in pixels."""
    split_seed: int
    split_ratios: list[int]
    """Whole percentages of train, val and test; empty where the source gives the whole split."""
    counts: dict[str, dict[str, int]]
    """Images per split and class name."""
    pack_id: str
    """Hash of the content: images, labels, subjects, split."""
    ordinal: bool = True
    """False for named classes without an order: they have no distance, so no MAE, within-one, QWK or expected grade."""
    split_given: bool = False
    """The source gives the split; where it gives no val, `split_ratios` are those of its train people."""
    crops: SharedCrops | None = None
    """The file beside the pack that holds its crops; None where the pack holds them."""
    format_version: int = FORMAT_VERSION

    @property
    def split_words(self) -> str:
        """How the rows were split, such as ``split 60/20/20 by subject, seed 0``."""
        ratios = f"{'/'.join(map(str, self.split_ratios))} by subject, seed {self.split_seed}"
        if not self.split_given:
            return f"split {ratios}"
        return "split as the source gives it" + (f", its train {ratios}" if self.split_ratios else "")


def content_id(
    region: str,
    classes: Sequence[str],
    size: int,
    digests: Iterable[bytes],
    labels: Iterable[int],
    split: Iterable[int],
    subjects: Iterable[str],
    ordinal: bool = True,
) -> str:
    """The `pack_id` of such a pack: a hash over the `digests` of its images, their labels, splits and subjects."""
    kind = "" if ordinal else " nominal"
    content = hashlib.blake2b(f"{region} {list(classes)} {size}{kind}".encode(), digest_size=16)
    for digest, label, part, subject in zip(digests, labels, split, subjects, strict=True):
        content.update(digest + f"{label} {part} {subject}\n".encode())
    return content.hexdigest()


def image_digest(pixels: bytes | memoryview) -> bytes:
    """Hash of an image's pixels, uint8 [size, size, 3], for `content_id`."""
    return hashlib.blake2b(pixels, digest_size=16).digest()


def info_of(schema: Any) -> PackInfo:
    """What the schema of a pack says of it. Raises PackError where it says anything else."""
    metadata = read_metadata((schema.metadata or {}).get(METADATA_KEY))
    if metadata.get("kind") == CROPS_KIND:
        raise PackError("it holds the crops of the packs beside it")
    version = checked_version(metadata, READABLE_VERSIONS)
    crops = SharedCrops(*checked_crops(metadata)) if version == SHARING_VERSION else None
    return PackInfo(**checked_fields(metadata, optional=_SINCE_VERSION_2), crops=crops, format_version=version)


def described_by(info: PackInfo) -> bytes:
    """The JSON from which `info_of` reads `info`."""
    fields = asdict(info)
    if info.crops is None:
        del fields["crops"]  # no older version has it
    return json.dumps(fields).encode()
