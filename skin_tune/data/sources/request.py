"""The request of `prepare`, checked before anything slow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skin_tune.data.sources.files import MAX_MEGAPIXELS, PHOTO_NAME, SubjectRule, files_under
from skin_tune.errors import SourceError
from skin_tune.regions import Region, catalogue_regions, is_region_name
from skin_tune.storage.files import is_local

FORMATS = ("aihub", "folders", "csv")
DEFAULT_RATIOS = (60, 20, 20)


@dataclass(frozen=True)
class PrepareRequest:
    """Arguments of `prepare`. Construction checks nothing; `prepare` does, before anything slow."""

    sources: Sequence[Path]
    regions: str
    """Comma-separated names, or `all`."""
    format: str | None = None
    """One of FORMATS; None to tell it from the source."""
    images: Path | None = None
    """Root of the photo tree, where it is not under the sources."""
    size: int = 256
    out: Path = Path("packs")
    path_column: str | None = None
    label_column: str | None = None
    subject_column: str | None = None
    """Column names of a CSV; None: ``path``, ``label`` and, if there is one, ``subject``."""
    subject_pattern: str | None = None
    classes: Sequence[str] | None = None
    """Class names in order, as `parse_classes` gives them; None: the catalogue's, or those of the source."""
    nominal: bool = False
    """The classes have no order."""
    split_ratios: tuple[int, int, int] | None = None
    """None: the source's own split where it has one, else DEFAULT_RATIOS."""
    split_seed: int = 0
    max_megapixels: int = MAX_MEGAPIXELS
    """Larger photos are taken for decompression bombs."""
    allow_losses: bool = False
    """Pack what is left even where more than half of the rows cannot be used."""
    replace: bool = False
    """Write over a pack that experiments were run on."""

    @property
    def distinct_sources(self) -> list[Path]:
        """The sources, each once."""
        return list({path.resolve(): path for path in self.sources}.values())


def checked_format(request: PrepareRequest) -> str:
    """The format of a request's sources. Raises SourceError where the request cannot be met."""
    if not 16 <= request.size <= 2048:
        raise SourceError(f"size {request.size} is outside [16, 2048] pixels")
    if not 0 <= request.split_seed < 2**63:
        raise SourceError(f"split seed {request.split_seed} is {'below 0' if request.split_seed < 0 else 'above 2^63'}")
    if request.max_megapixels < 1:
        raise SourceError(f"--max-megapixels {request.max_megapixels} is below 1")
    for path in (*request.sources, *([request.images] if request.images else [])):
        if not os.path.exists(path):  # noqa: PTH110  Path.exists raises for a name that is too long
            raise SourceError(f"{str(path)!r} does not exist")
    if is_local(request.out):
        _check_out(request.out)
    if request.images is not None and not request.images.is_dir():
        raise SourceError(f"--images {str(request.images)!r} is not a folder")
    source_format = request.format or _guess_format(request.sources)
    if source_format not in FORMATS:
        raise SourceError(f"format {source_format!r} is not one of {', '.join(FORMATS)}")
    for path in request.sources:
        if not (path.is_file() if source_format == "csv" else path.is_dir()):
            kind = "a file" if source_format == "csv" else "a folder"
            raise SourceError(f"{str(path)!r} is not {kind}, which format {source_format!r} needs")
    if source_format == "aihub":
        catalogue_regions(request.regions)
    elif not is_region_name(request.regions):
        raise SourceError(f"region {request.regions!r} is not one plain name, which format {source_format!r} needs")
    for option in ("path_column", "label_column", "subject_column"):
        if getattr(request, option) is not None and source_format != "csv":
            raise SourceError(f"--{option.replace('_', '-')} goes with format 'csv', not {source_format!r}")
    if request.nominal and source_format == "aihub":
        raise SourceError("--nominal goes with formats 'folders' and 'csv'; AI-Hub's grades are ordinal")
    if request.classes is not None and source_format == "aihub":
        _check_grades(request.classes, catalogue_regions(request.regions))
    if request.subject_pattern is not None and source_format == "aihub":
        raise SourceError("--subject-pattern goes with formats 'folders' and 'csv'; AI-Hub labels name their subject")
    SubjectRule.parse(request.subject_pattern)
    return source_format


def _check_grades(classes: Sequence[str], regions: Sequence[Region]) -> None:
    if len(regions) > 1:
        raise SourceError(f"--classes goes with one region, not {len(regions)}")
    grades = [str(grade) for grade in range(regions[0].classes)]
    if unknown := [name for name in classes if name not in grades]:
        raise SourceError(f"--classes names {unknown[0]!r}; {regions[0].name} has grades {', '.join(grades)}")


def _guess_format(sources: Sequence[Path]) -> str:
    if all(path.is_file() for path in sources):
        return "csv"
    names = (path for root in sources for path in files_under(root))
    has_labels = any(path.suffix.lower() == ".json" and PHOTO_NAME.fullmatch(path.stem) for path in names)
    return "aihub" if has_labels else "folders"


def _check_out(out: Path) -> None:
    above = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise SourceError(f"--out {str(out)!r} cannot be written to: {str(above)!r} is not a writable folder")
