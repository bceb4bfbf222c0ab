"""The catalogue of face regions.

Those of AI-Hub data set 71645, "Korean skin condition".
"""

from dataclasses import dataclass

from skin_tune.errors import ConfigError

_LONGEST_NAME = 200
"""Bytes of a region's name: file systems take 255, and the names of files begin with it."""


@dataclass(frozen=True)
class View:
    """One facepart in which a region is seen, and the annotation key that grades it there."""

    facepart: int
    key: str
    mirrored: bool = False


@dataclass(frozen=True)
class Region:
    """One grading task. Grades run from 0 to ``classes - 1``."""

    name: str
    classes: int
    views: tuple[View, ...]


def _sides(left: int, right: int, condition: str) -> tuple[View, View]:
    # The right side is mirrored so that both sides look alike to the network.
    return View(left, f"l_{condition}"), View(right, f"r_{condition}", mirrored=True)


CATALOGUE: dict[str, Region] = {
    region.name: region
    for region in (
        Region("forehead_wrinkle", 7, (View(1, "forehead_wrinkle"),)),
        Region("forehead_pigmentation", 6, (View(1, "forehead_pigmentation"),)),
        Region("glabellus_wrinkle", 7, (View(2, "glabellus_wrinkle"),)),
        Region("perocular_wrinkle", 7, _sides(3, 4, "perocular_wrinkle")),
        Region("cheek_pigmentation", 6, _sides(5, 6, "cheek_pigmentation")),
        Region("cheek_pore", 6, _sides(5, 6, "cheek_pore")),
        Region("lip_dryness", 5, (View(7, "lip_dryness"),)),
        Region("chin_sagging", 7, (View(8, "chin_sagging"),)),
    )
}


def is_region_name(name: object) -> bool:
    """Whether `name` can be a region's: one plain word, since folders are named by it, and not ``all``."""
    return isinstance(name, str) and name.isidentifier() and name != "all" and len(name.encode()) <= _LONGEST_NAME


def catalogue_regions(names: str) -> list[Region]:
    """Regions named in a comma-separated list, or all of them for ``"all"``.

    Raises ConfigError for a name the catalogue does not hold.
    """
    if names == "all":
        return list(CATALOGUE.values())
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in CATALOGUE:
            raise ConfigError(f"region {name!r} is not in the catalogue; it holds {', '.join(CATALOGUE)}")
    return [CATALOGUE[name] for name in dict.fromkeys(wanted)]
