"""Skin marks of an artificial face: strokes, dots and shadows that follow its grades.

Everything is in head coordinates: u from -1 (ear at the left of the photo) to 1, v from -1 (crown) to 1 (chin). A level
is a grade with a fraction: more of it means more marks, and deeper ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Area = tuple[float, float, float, float]

# Facepart -> (left, top, right, bottom) in head coordinates.
PARTS: dict[int, Area] = {
    1: (-0.56, -0.70, 0.56, -0.21),
    2: (-0.21, -0.33, 0.21, 0.00),
    3: (-0.90, -0.20, -0.50, 0.13),
    4: (0.50, -0.20, 0.90, 0.13),
    5: (-0.74, 0.12, -0.24, 0.50),
    6: (0.24, 0.12, 0.74, 0.50),
    7: (-0.32, 0.43, 0.32, 0.70),
    8: (-0.60, 0.66, 0.60, 1.10),
}


@dataclass(frozen=True)
class Mark:
    """A stroke on the skin: points [n, 2] in head coordinates (one point: a dot), width in pixels, strength in 0..1."""

    layer: str
    points: Floats
    width: float
    strength: float


def draw_marks(rng: np.random.Generator, grades: Mapping[str, int]) -> tuple[Mark, ...]:
    """All marks of one face. ``grades`` holds one grade per annotation key, ``l_`` and ``r_`` for paired parts."""
    # Graders disagree by a fraction of a grade; without this spread neighbouring grades would never be confused.
    level = {key: max(0.0, grade + rng.normal(0.0, 0.15)) for key, grade in grades.items()}
    marks = _spots(rng, PARTS[1], level["forehead_pigmentation"])
    for side, sign, cheek in (("l", -1, PARTS[5]), ("r", 1, PARTS[6])):
        marks += _spots(rng, cheek, level[f"{side}_cheek_pigmentation"])
        marks += _pores(rng, cheek, level[f"{side}_cheek_pore"])
        marks += _crows_feet(rng, sign, level[f"{side}_perocular_wrinkle"])
    marks += _forehead_lines(rng, level["forehead_wrinkle"]) + _frown_lines(rng, level["glabellus_wrinkle"])
    marks += _lip_cracks(rng, level["lip_dryness"]) + _jowls(rng, level["chin_sagging"])
    return tuple(marks + _moles_and_strands(rng))


def _crease(points: Floats, width: float, strength: float) -> list[Mark]:
    """A fold: a dark line, and beside it the lit edge of the skin that rises from it."""
    lit = points + np.array((0.006, 0.014))
    return [Mark("glint", lit, width, strength), Mark("crease", points, width, strength)]


def _count(rng: np.random.Generator, expected: float) -> int:
    """``expected`` rounded up or down by chance, so that the count is a hint of the level and not its name."""
    return int(expected + rng.random())


def _forehead_lines(rng: np.random.Generator, level: float) -> list[Mark]:
    count = _count(rng, level)
    marks: list[Mark] = []
    for height in np.linspace(-0.25, -0.68, count + 2)[1:-1] + rng.normal(0, 0.008, count):
        u = np.linspace(-1, 1, 25) * (0.26 + 0.035 * level) * rng.uniform(0.9, 1.1) + rng.normal(0, 0.03)
        wave = 0.008 * np.sin(u * rng.uniform(5, 12) + rng.uniform(0, 6))
        sagging_ends = rng.normal(0.08, 0.04) * u**2
        points = np.stack([u, height + wave + sagging_ends], axis=1)
        strength = min(1.0, (0.15 + 0.14 * level) * rng.uniform(0.9, 1.1))
        marks.append(Mark("shade", points, 5 + level, 0.5 * strength))
        marks += _crease(points, 1.5 + 0.45 * level, strength)
    return marks


def _frown_lines(rng: np.random.Generator, level: float) -> list[Mark]:
    count = _count(rng, 0.2 + 0.75 * level)
    marks: list[Mark] = []
    for u in np.linspace(-0.13, 0.13, count + 2)[1:-1] + rng.normal(0, 0.008, count):
        v = np.linspace(-0.5, 0.5, 13) * rng.uniform(0.12, 0.16 + 0.015 * level) + rng.normal(-0.165, 0.012)
        points = np.stack([u * (1 - 1.2 * (v + 0.165)) + rng.normal(0, 0.03) * (v + 0.165), v], axis=1)
        marks += _crease(points, 1.2 + 0.2 * level, (0.16 + 0.08 * level) * rng.uniform(0.75, 1.2))
    return marks


def _crows_feet(rng: np.random.Generator, sign: int, level: float) -> list[Mark]:
    count = _count(rng, 0.3 + level)
    marks: list[Mark] = []
    for slope in np.linspace(-1.0, 1.0, count + 2)[1:-1] + rng.normal(0, 0.06, count):
        reach = np.linspace(0.02, rng.uniform(0.12, 0.16 + 0.02 * level), 11)
        points = np.stack([sign * (0.57 + reach), -0.03 + slope * reach + rng.normal(0, 1.2) * reach**2], axis=1)
        marks += _crease(points, 1.1 + 0.15 * level, (0.18 + 0.075 * level) * rng.uniform(0.75, 1.2))
    return marks


def _scatter(rng: np.random.Generator, area: Area, count: int) -> Floats:
    """``count`` places [count, 1, 2] in the ellipse that fills an area, thinning out towards its edge."""
    angle, radius = rng.uniform(0, 2 * np.pi, count), rng.uniform(0, 1, count) ** 0.6
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    low, high = np.array(area[:2]), np.array(area[2:])
    places: Floats = (low + high) / 2 + unit * (high - low) / 2
    return places[:, None]


def _spots(rng: np.random.Generator, area: Area, level: float) -> list[Mark]:
    """Brown spots, and under them the faint brown patches of melasma."""
    # More of them on a larger part, though not in proportion: they would bury the wrinkles of the forehead.
    room = ((area[2] - area[0]) / 0.5) ** 0.5
    count = rng.poisson((1.0 + 5.5 * level) * room)
    widths = rng.gamma(8.0, (2.2 + 1.1 * level) / 8.0, count)
    strengths = np.clip((0.18 + 0.15 * level) * rng.uniform(0.7, 1.2, count), 0, 1)
    spots = [Mark("spot", *spot) for spot in zip(_scatter(rng, area, count), widths, strengths, strict=True)]
    patches = [
        Mark("patch", place, rng.uniform(24, 40) * room, min(1.0, 0.12 * level)) for place in _scatter(rng, area, 5)
    ]
    return patches + spots


def _pores(rng: np.random.Generator, area: Area, level: float) -> list[Mark]:
    count = rng.poisson(35 + 45 * level)
    widths = rng.uniform(0.9, 1.3 + 0.22 * level, count)
    strengths = np.clip((0.20 + 0.08 * level) * rng.uniform(0.7, 1.2, count), 0, 1)
    return [Mark("crease", *pore) for pore in zip(_scatter(rng, area, count), widths, strengths, strict=True)]


def _lip_cracks(rng: np.random.Generator, level: float) -> list[Mark]:
    """Cracks from the line between the lips outwards, and pale flakes."""
    marks: list[Mark] = []
    for _ in range(rng.poisson(2 + 8 * level)):
        u = rng.uniform(-0.22, 0.22)
        height = 0.065 * (1 - (u / 0.27) ** 2)
        v = np.linspace(0.2, rng.uniform(0.6, 1.0), 5) * height * rng.choice((-1.0, 1.25))
        points = np.stack([u + rng.normal(0, 0.003, 5).cumsum(), 0.565 + v], axis=1)
        strength = min(1.0, (0.15 + 0.17 * level) * rng.uniform(0.7, 1.2))
        marks.append(Mark("crease", points, 1.1 + 0.3 * level, strength))
    for _ in range(rng.poisson(6 * level)):
        u = rng.uniform(-0.22, 0.22)
        v = 0.565 + rng.uniform(-0.9, 1.1) * 0.07 * (1 - (u / 0.27) ** 2)
        flake = np.array([[u, v], [u + rng.normal(0, 0.018), v + rng.normal(0, 0.006)]])
        marks.append(Mark("flake", flake, rng.uniform(1.5, 2.5 + 0.5 * level), min(1.0, 0.4 + 0.15 * level)))
    return marks


def _jowls(rng: np.random.Generator, level: float) -> list[Mark]:
    """Shadows from the corners of the mouth down and along the jaw, and the folds of a double chin."""
    strength = min(1.0, (0.05 + 0.15 * level) * rng.uniform(0.85, 1.15))
    t = np.linspace(0, 1, 15)
    marks: list[Mark] = []
    for sign in (-1, 1):
        down = np.stack([sign * (0.33 + 0.07 * np.sin(2.5 * t)), 0.66 + (0.08 + 0.025 * level) * t], axis=1)
        jaw = np.stack([sign * (0.24 + 0.32 * t), 0.93 - 0.16 * t**2 + 0.05 * np.sin(3 * t)], axis=1)
        marks += [Mark("shade", down, 6 + 1.5 * level, strength), Mark("shade", jaw, 6 + 1.5 * level, strength)]
        marks += _crease(down, 1.2 + 0.3 * level, 0.7 * strength)
    count = _count(rng, 0.2 + 0.8 * level)
    for height in np.linspace(0.86, 1.12, count + 2)[1:-1] + rng.normal(0, 0.006, count):
        fold = np.stack([0.36 * (2 * t - 1), height - 0.10 * (2 * t - 1) ** 2], axis=1)
        marks += [Mark("shade", fold, 5 + level, 0.5 * strength), *_crease(fold, 1.3 + 0.3 * level, strength)]
    return marks


def _moles_and_strands(rng: np.random.Generator) -> list[Mark]:
    """Marks independent of any grade: a few moles, and hairs fallen across the forehead."""
    moles = _scatter(rng, (-0.8, -0.7, 0.8, 0.9), rng.poisson(3))
    marks = [Mark("crease", place, rng.uniform(2.0, 3.5), rng.uniform(0.5, 0.9)) for place in moles]
    for _ in range(rng.poisson(0.7)):
        v = np.linspace(-0.82, rng.uniform(-0.6, -0.35), 9)
        u = rng.uniform(-0.5, 0.5) + rng.normal(0, 0.4) * (v + 0.8) + rng.normal(0, 1.0) * (v + 0.8) ** 2
        marks.append(Mark("crease", np.stack([u, v], axis=1), 1.0, rng.uniform(0.4, 0.8)))
    return marks
