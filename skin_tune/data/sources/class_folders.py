"""Class folders ``ROOT/<class>/<image>``, also below ``train``, ``val`` and ``test``."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skin_tune.data.pack.subject_split import split_name
from skin_tune.data.sources.files import (
    IMAGE_SUFFIXES,
    NO_PHOTO_SUFFIXES,
    PHOTO_SUFFIXES,
    Progress,
    files_under,
    leaves_roots,
    storable,
    view_of,
)
from skin_tune.data.sources.labelled import LabelledPhoto, add_rows
from skin_tune.data.sources.manifest import Manifest, Quarantined
from skin_tune.data.sources.request import PrepareRequest


@dataclass(frozen=True, slots=True)
class _Found:
    photo: Path
    source: str
    relative: Path


def read_folders(request: PrepareRequest, on_file: Progress = lambda count: None) -> Manifest:
    """The photos of the request's roots, which are merged.

    An image whose subject cannot be told is a subject of its own, with a warning, or is quarantined where a pattern was
    given and does not match.
    """
    manifest = Manifest(classes={})
    photos = [photo for root in request.distinct_sources for photo in _photos_of(root, request, manifest, on_file)]
    add_rows(manifest, photos, request)
    return manifest


def _photos_of(root: Path, request: PrepareRequest, manifest: Manifest, on_file: Progress) -> list[LabelledPhoto]:
    sources = request.distinct_sources
    allowed = [*sources, *([request.images] if request.images else [])]
    found: list[_Found] = []
    for path in files_under(root, on_file, manifest.leave_out):
        if path.suffix.lower() not in IMAGE_SUFFIXES - NO_PHOTO_SUFFIXES:
            manifest.left_out[f"{path.suffix.lower() or 'suffixless'} file"] += 1
            continue
        manifest.read += 1
        relative = path.relative_to(root)
        source = storable(str(path if len(sources) > 1 else relative))
        if leaves_roots(path, allowed):
            detail = f"a link to {path.readlink()}; --images DIR allows those into DIR"
            manifest.quarantined.append(Quarantined(request.regions, source, "path leaves its root", storable(detail)))
        else:
            found.append(_Found(path, source, relative))
    found = _without_raw_twins(found, manifest)
    depth = 1 if _is_split(found) else 0
    photos = []
    for each in found:
        folders = each.relative.parts[:-1]
        split = split_name(folders[0]) if depth and folders else ""
        if len(folders) <= depth or split is None:
            where = "a class folder below train, val or test" if depth else "a class folder"
            manifest.quarantined.append(Quarantined(request.regions, each.source, "not in a class folder", where))
            continue
        photos.append(
            LabelledPhoto(
                photo=each.photo,
                source=each.source,
                name=storable(str(each.relative)),
                grade=folders[depth],
                about=view_of(each.photo),
                split=split or "",
            )
        )
    manifest.warnings += _empty_folders(root, found)
    return photos


def _without_raw_twins(found: Sequence[_Found], manifest: Manifest) -> list[_Found]:
    """Leave out, and count, files of a format that is not read beside a photo of the same name: they show the same."""
    photos = {each.photo.with_suffix("") for each in found if each.photo.suffix.lower() in PHOTO_SUFFIXES}
    kept = [
        each
        for each in found
        if each.photo.suffix.lower() in PHOTO_SUFFIXES or each.photo.with_suffix("") not in photos
    ]
    if len(kept) < len(found):
        manifest.left_out["raw file beside its photo"] += len(found) - len(kept)
    return kept


def _is_split(found: Sequence[_Found]) -> bool:
    """Whether the folders at the top are train and val or test, with class folders in them."""
    tops = {split_name(each.relative.parts[0]) for each in found if len(each.relative.parts) > 2}
    return "train" in tops and bool(tops & {"val", "test"})


def _empty_folders(root: Path, found: Sequence[_Found]) -> list[str]:
    filled = {each.relative.parts[0] for each in found}
    names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    empty = [name for name in names if name not in filled]
    return [f"folder {', '.join(empty[:8])} of {str(root)!r} holds no image"] if empty else []
