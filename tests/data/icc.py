"""ICC profiles written from their published primaries, and what their colours are in sRGB by the closed form."""

import struct
from collections.abc import Callable
from itertools import product

import numpy as np

Xy = tuple[float, float]

D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
SRGB = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65)
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65)
ADOBE_RGB = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060), D65)
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), D50)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_profile(primaries: tuple[Xy, Xy, Xy, Xy], gamma: float | None = None, digits: int = 9) -> bytes:
    """A matrix profile; without `gamma` it has the curve of sRGB. Its colorants are rounded to `digits`."""
    colorants = np.round(_adapted(primaries[3], D50) @ _to_xyz(primaries), digits)
    tags = {f"{name}XYZ": _xyz(colorants[:, place]) for place, name in enumerate("rgb")}
    return _profile("RGB ", tags | {f"{name}TRC": _curve(gamma) for name in "rgb"} | {"wtpt": _xyz(_white(D50))})


def grey_profile(gamma: float | None) -> bytes:
    return _profile("GRAY", {"kTRC": _curve(gamma), "wtpt": _xyz(_white(D50))})


def cmyk_profile(lab: Callable[[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """A printer's profile: CIELAB for each of the 16 combinations of full inks, straight lines between."""
    corners = [lab(*inks) for inks in product((0, 1), repeat=4)]
    table = bytes(round(value) for L, a, b in corners for value in (L * 2.55, a + 128, b + 128))
    unity = bytes(range(256))
    identity = b"".join(struct.pack(">i", 65536 * (row == column)) for row in range(3) for column in range(3))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + unity * 4 + table + unity * 3
    return _profile("CMYK", {"A2B0": lut, "wtpt": _xyz(_white(D50))}, pcs="Lab ", kind="prtr")


def srgb_of(colours: np.ndarray, primaries: tuple[Xy, Xy, Xy, Xy], gamma: float | None = None) -> np.ndarray:
    """Colours [..., 3], 0 to 255, of an RGB space as sRGB, rounded and clipped."""
    level = np.asarray(colours) / 255
    linear = _linear(level) if gamma is None else level**gamma
    to_srgb = np.linalg.inv(_to_xyz(SRGB)) @ _adapted(primaries[3], D65) @ _to_xyz(primaries)
    return _encoded(linear @ to_srgb.T)


def srgb_of_grey(levels: np.ndarray, gamma: float) -> np.ndarray:
    return _encoded((np.asarray(levels) / 255) ** gamma)


def srgb_of_lab(L: float, a: float, b: float) -> np.ndarray:  # noqa: N803
    y = (L + 16) / 116
    cubes = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29)) * _white(D50)
    return _encoded(np.linalg.inv(_to_xyz(SRGB)) @ _adapted(D50, D65) @ xyz)


def _linear(level: np.ndarray) -> np.ndarray:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def _encoded(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.round(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def _white(xy: Xy) -> np.ndarray:
    return np.array([xy[0] / xy[1], 1, (1 - xy[0] - xy[1]) / xy[1]])


def _to_xyz(primaries: tuple[Xy, Xy, Xy, Xy]) -> np.ndarray:
    directions = np.stack([_white(xy) for xy in primaries[:3]], axis=1)
    return directions * np.linalg.solve(directions, _white(primaries[3]))


def _adapted(source: Xy, target: Xy) -> np.ndarray:
    gains = (_BRADFORD @ _white(target)) / (_BRADFORD @ _white(source))
    return np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para" + bytes(4) + struct.pack(">Hxx5i", 3, *(round(number * 65536) for number in numbers))


def _profile(space: str, tags: dict[str, bytes], pcs: str = "XYZ ", kind: str = "mntr") -> bytes:
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name.encode() + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    length = start + len(body)
    head = struct.pack(">III", length, 0, 0x02400000) + f"{kind}{space}{pcs}".encode()
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(_white(D50))[8:] + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body
