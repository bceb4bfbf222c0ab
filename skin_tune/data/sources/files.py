"""Files as users keep them: which are photos, what their names say, which may be opened."""

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from skin_tune.errors import SourceError


def _suffixes(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


PHOTO_SUFFIXES = _suffixes("jpg jpeg jpe jfif jif mpo png bmp dib webp tif tiff heic heics heif heifs hif avif avifs")
"""Names of photos in the formats that are read."""
RAW_SUFFIXES = _suffixes(
    "3fr arw cr2 cr3 crw dcr dng erf fff gpr iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
)
NO_PHOTO_SUFFIXES = _suffixes("svg pdf mov mp4 m4v avi mkv webm 3gp")
"""Names of drawings, documents and films that lie among photos."""
# Files that cannot be read are listed all the same, so that they end in quarantine and are not overlooked.
IMAGE_SUFFIXES = PHOTO_SUFFIXES | RAW_SUFFIXES | NO_PHOTO_SUFFIXES
IMAGE_SUFFIXES |= _suffixes("dcm dicom gif jp2 j2k j2c jpc jpf jpx jxl jxr psd psb")
MAX_MEGAPIXELS = 200
"""Size of the largest photo that is read unless told otherwise: whole-body cameras take 100 to 150."""
PHOTO_NAME = re.compile(r"(?P<subject>\w+?)_(?P<device>0[1-3])_(?P<angle>[A-Z][a-z]?\d*)(?:_(?P<part>\d{2}))?")


def view_of(photo: Path) -> dict[str, str]:
    """`device` and `angle` as AI-Hub's file names tell them; empty for any other name."""
    match = PHOTO_NAME.fullmatch(photo.stem)
    return {"device": match["device"], "angle": match["angle"]} if match else {}


Progress = Callable[[int], None]
OnLeftOut = Callable[[Path, str], None]
"""Called with what is left out, and why."""

UNREADABLE_FOLDER = "unreadable folder"
_MOST_WAYS_IN = 16
"""To one real folder: links that fan out level by level would otherwise be walked without end."""


def storable(text: str) -> str:
    """`text` as valid Unicode: the bytes of a file name that is not UTF-8 are spelled out, as in ``\\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()


def composed(text: str) -> str:
    """`text` without blanks around it, its letters composed: macOS takes those of Korean file names apart."""
    return storable(unicodedata.normalize("NFC", text.strip()))


def inside(root: Path, relative: str) -> Path | None:
    """`root / relative` with links followed, or None where that leaves `root`."""
    try:
        path = (root / relative).resolve()
    except (ValueError, OSError, RuntimeError):  # a NUL byte, a loop of links
        return None
    return path if path.is_relative_to(root.resolve()) else None


def leaves_roots(found: Path, roots: Sequence[Path]) -> bool:
    """Whether a file that `files_under` found is a link to one outside of `roots` and of the folder it lies in.

    Folders may be links to anywhere: who can lay them could as well name their target.
    """
    return found.is_symlink() and not any(inside(root, str(found.absolute())) for root in (*roots, found.parent))


def readable_first(files: Sequence[Path]) -> list[Path]:
    """The `files` in a format that is read, or all if there is none: leaves out raw files and films beside a photo."""
    return [file for file in files if file.suffix.lower() in PHOTO_SUFFIXES] or list(files)


def is_special(path: Path) -> bool:
    """Whether a file is a pipe, a socket or a device: opening one may never come to an end. Raises OSError."""
    mode = path.stat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def files_under(
    root: Path, on_file: Progress = lambda count: None, on_left_out: OnLeftOut = lambda path, reason: None
) -> Iterator[Path]:
    """Every file below `root` but hidden ones (.DS_Store, ._photo.jpg), in an order that depends on names alone.

    Linked folders are entered. What is left out is told: hidden files and folders, folders that cannot be listed, links
    to a folder above (or to one that many links lead to).
    """
    above: dict[str, tuple[tuple[int, int], ...]] = {os.fspath(root): ()}
    entered: Counter[tuple[int, int]] = Counter()
    count = 0

    def unreadable(error: OSError) -> None:
        on_left_out(Path(error.filename), UNREADABLE_FOLDER)

    for folder, folders, names in os.walk(root, onerror=unreadable, followlinks=True):
        about = os.stat(folder)  # noqa: PTH116  as os.walk has it
        identity, ancestors = (about.st_dev, about.st_ino), above.pop(folder)
        entered[identity] += 1
        if identity in ancestors or entered[identity] > _MOST_WAYS_IN:
            on_left_out(Path(folder), "link to a folder that is read already")
            folders.clear()
            continue
        for name in (name for name in (*folders, *names) if name.startswith(".")):
            on_left_out(Path(folder, name), "hidden")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        above |= {os.path.join(folder, name): (*ancestors, identity) for name in folders}  # noqa: PTH118  as os.walk does
        for name in sorted(name for name in names if not name.startswith(".")):
            count += 1
            on_file(count)
            yield Path(folder, name)


@dataclass(frozen=True)
class SubjectRule:
    """How a file name tells its subject."""

    pattern: re.Pattern[str] | None = None

    @classmethod
    def parse(cls, text: str | None) -> "SubjectRule":
        """Raises SourceError for an invalid regular expression."""
        try:
            return cls(re.compile(text) if text is not None else None)
        except re.error as error:
            raise SourceError(f"--subject-pattern {text!r} is not a regular expression: {error}") from None

    def subject(self, path: str) -> str | None:
        """The first group (or the whole match) of the pattern; AI-Hub's subject without one; None where none fits."""
        if self.pattern is None:
            match = PHOTO_NAME.fullmatch(Path(path).stem)
            return match["subject"] if match else None
        match = self.pattern.search(path)
        if match is None:
            return None
        return match.group(min(1, match.re.groups)) or None
