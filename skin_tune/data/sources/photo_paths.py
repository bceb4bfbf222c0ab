"""From the path or id that a table gives to the photo, and to none outside of the folders that may be read."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PureWindowsPath

from skin_tune.data.sources.files import IMAGE_SUFFIXES, files_under, leaves_roots, readable_first


class NoPhotoError(Exception):
    """No photo for a row; its two arguments are the reason and its detail."""


class PhotoFinder:
    """Finds the photos of one table.

    A path is looked for below `images`, if given, then below the table's `folder`; it may use backslashes, lack its
    suffix, or be absolute, and must lead to a photo in one of the two. A bare name or id is also looked for in every
    folder below `images`, and an absolute path of another machine by its end.
    """

    def __init__(self, folder: Path, images: Path | None):
        self._images = images
        self._roots = [root.resolve() for root in (images, folder) if root is not None]
        self._listings: dict[Path, dict[str, list[Path]]] = {}

    def find(self, text: str) -> Path:
        """The photo, with links followed. Raises NoPhotoError where none, or more than one, could be meant."""
        candidates = list(dict.fromkeys(self._candidates(text)))
        for candidate in candidates:
            if os.path.exists(candidate) and not os.path.isdir(candidate):  # noqa: PTH110, PTH112  raise for long names
                return candidate
        name = _slashes(text).strip()
        by_id = {photo for candidate in candidates for photo in self._with_any_suffix(candidate)}
        if not by_id and "/" not in name:
            by_id = set(readable_first(self._below_images.get(unicodedata.normalize("NFC", name), ())))
        if len(by_id) > 1:
            raise NoPhotoError("more than one photo", ", ".join(map(str, sorted(by_id)[:3])))
        if by_id:
            return by_id.pop().resolve()
        if not candidates:
            raise NoPhotoError(
                "path leaves its root", f"it leads out of {self._roots[-1]}; --images DIR allows photos below DIR"
            )
        places = " and ".join(dict.fromkeys(str(candidate.parent) for candidate in candidates))
        below = f" and below {self._images}" if self._images and "/" not in name else ""
        raise NoPhotoError("missing photo", f"looked for {candidates[0].name} in {places}{below}")

    def _candidates(self, text: str) -> Iterator[Path]:
        """Where the photo may lie: every way to read `text` that stays within the roots."""
        written = (text, text.strip(), _slashes(text).strip())
        forms = [unicodedata.normalize(form, each) for form in ("NFC", "NFD") for each in written]
        for spelling in dict.fromkeys((*written, *forms)):  # file systems keep either form, tables mostly the former
            for root in self._roots:
                for relative in self._tails(spelling):
                    try:
                        path = (root / relative).resolve()
                    except (ValueError, OSError, RuntimeError):  # a NUL byte, a loop of links
                        continue
                    if any(path.is_relative_to(allowed) for allowed in self._roots):
                        yield path

    def _tails(self, path: str) -> Iterator[str]:
        """A path itself and, for an absolute one of another machine, what it may be called below `images`."""
        yield path
        if self._images is not None and (PureWindowsPath(path).drive or path.startswith("/")):
            parts = PureWindowsPath(path).parts[1:]
            yield from ("/".join(parts[start:]) for start in range(len(parts)))

    def _with_any_suffix(self, path: Path) -> list[Path]:
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return []
        if path.parent not in self._listings:
            try:
                self._listings[path.parent] = _by_stem(self._allowed(path.parent.iterdir()))
            except OSError:
                self._listings[path.parent] = {}
        return readable_first(self._listings[path.parent].get(unicodedata.normalize("NFC", path.name), []))

    @cached_property
    def _below_images(self) -> dict[str, list[Path]]:
        """Photos below `images` by their name, with and without suffix."""
        if self._images is None:
            return {}
        photos = self._allowed(files_under(self._images))
        found = _by_stem(photos)
        for photo in photos:
            found[unicodedata.normalize("NFC", photo.name)].append(photo)
        return found

    def _allowed(self, files: Iterable[Path]) -> list[Path]:
        photos = (file for file in files if file.suffix.lower() in IMAGE_SUFFIXES)
        return [photo for photo in photos if not leaves_roots(photo, self._roots)]


def _by_stem(photos: Iterable[Path]) -> defaultdict[str, list[Path]]:
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for photo in photos:
        found[unicodedata.normalize("NFC", photo.stem)].append(photo)
    return found


def _slashes(path: str) -> str:
    return path.replace("\\", "/")
