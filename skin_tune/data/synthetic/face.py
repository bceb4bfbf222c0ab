"""Draws photos of an artificial face, each with its own pose, light and camera.

A face lives in head coordinates (see ``marks``) and keeps its traits and marks for good; each photo projects them anew,
so photos of one subject resemble each other as real ones do. No real face is used.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFilter

from skin_tune.data.synthetic.skin_marks import PARTS, Area, Floats, Mark, draw_marks

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

REFERENCE_WIDTH = 384  # pixel sizes below are those of a photo this wide
HEAD = np.array((142.0, 196.0))  # half width and half height, pixels
SUPERSAMPLE = 2  # drawn this much larger, then averaged down: Pillow's lines have no antialiasing

# Layer of marks -> (blur in pixels, share of red, green and blue light it takes; negative brightens).
LAYERS = {
    "shade": (5.0, (0.50, 0.57, 0.60)),
    "patch": (6.0, (0.10, 0.27, 0.38)),
    "spot": (0.0, (0.35, 0.58, 0.75)),
    "flake": (0.0, (-0.35, -0.90, -0.90)),
    "glint": (0.0, (-0.35, -0.38, -0.42)),
    "crease": (0.0, (0.70, 0.80, 0.85)),
}


@dataclass(frozen=True)
class Camera:
    """How one device renders a face: size in pixels, colour cast, blur radius in pixels, noise in grey levels."""

    width: int
    height: int
    white_balance: tuple[float, float, float]
    blur: float
    noise: float

    @property
    def scale(self) -> float:
        return self.width / REFERENCE_WIDTH


@dataclass(frozen=True)
class Face:
    """Features of one subject on all photos. Lengths are in head coordinates."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    shirt: Colour
    girth: float
    brow: float
    hairline: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Pose:
    """Position of a head on its photo: centre [2] and half axes [2] in pixels, turn and roll in radians."""

    centre: Floats
    axes: Floats
    turn: float
    roll: float

    def project(self, points: Floats) -> Floats:
        """Head coordinates [n, 2] on the skin to pixels [n, 2]."""
        u, v = points[:, 0], points[:, 1]
        depth = np.sqrt(np.clip(1 - u**2 - 0.35 * v**2, 0, 1))
        return self.place(np.stack([u * math.cos(self.turn) + depth * math.sin(self.turn), v], axis=1))

    def place(self, points: Floats) -> Floats:
        """Head coordinates [n, 2] of what looks the same from all sides, such as the outline, to pixels [n, 2]."""
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return self.centre + (points * self.axes) @ np.array([[cos, sin], [-sin, cos]])


def draw_face(rng: np.random.Generator, grades: Mapping[str, int]) -> Face:
    """A new face. ``grades`` holds one grade per annotation key."""
    tone, flush = rng.uniform(0, 1), rng.uniform(-6, 6)
    skin = np.array((230 - 50 * tone + flush, 190 - 54 * tone, 166 - 56 * tone - flush))
    return Face(
        skin=_colour(skin),
        hair=_colour(np.array((52, 38, 32)) * rng.uniform(0.4, 1.7)),
        iris=_colour(np.array((70, 48, 34)) * rng.uniform(0.5, 1.6)),
        lips=_colour(skin * (0.90, 0.64, 0.68) + rng.normal(0, 6, 3)),
        shirt=_colour(rng.uniform(40, 220, 3)),
        girth=rng.uniform(0.94, 1.05),
        brow=rng.uniform(0.7, 1.4),
        hairline=rng.uniform(-0.80, -0.73),
        marks=draw_marks(rng, grades),
    )


def draw_photo(rng: np.random.Generator, face: Face, camera: Camera, turn: float) -> tuple[Image.Image, dict[int, Box]]:
    """One RGB photo of a face turned by about ``turn`` degrees (negative: towards the left of the photo).

    Also gives facepart -> (x1, y1, x2, y2) in pixels, inside the photo, for all eight parts, hidden or not.
    """
    pose = _draw_pose(rng, face, camera, turn)
    size = (camera.width * SUPERSAMPLE, camera.height * SUPERSAMPLE)
    canvas = Image.new("RGB", size, _colour(rng.uniform(110, 210) + rng.normal(0, 12, 3)))
    _draw_head(ImageDraw.Draw(canvas), face, pose)
    light = _draw_light(rng, camera, pose)
    # Expression and the moment's light make the same lines deeper on one photo than on the next.
    contrast = rng.uniform(0.85, 1.15)
    layers = _draw_layers(face.marks, pose, camera, contrast)
    cast = np.array(camera.white_balance) * rng.uniform(0.90, 1.08) * rng.normal(1, 0.02, 3)
    blur = ImageFilter.GaussianBlur(camera.blur * rng.uniform(0.6, 1.3))
    grain = rng.standard_normal((camera.height, camera.width), dtype=np.float32) * np.float32(camera.noise)

    channels = []
    for channel, plane in enumerate(canvas.reduce(SUPERSAMPLE).split()):
        pixels = light * np.float32(cast[channel]) * np.asarray(plane)
        for layer, ink in layers.items():
            pixels *= 1 - ink * np.float32(LAYERS[layer][1][channel])
        channels.append(_image(np.asarray(_image(pixels).filter(blur)) + grain))
    boxes = {part: _box(rng, area, pose, camera) for part, area in PARTS.items()}
    return Image.merge("RGB", channels), boxes


def _draw_pose(rng: np.random.Generator, face: Face, camera: Camera, turn: float) -> Pose:
    zoom = camera.scale * rng.uniform(0.93, 1.05)
    centre = np.array((0.5 * camera.width, 0.53 * camera.height)) + rng.uniform(-9, 9, 2) * camera.scale
    return Pose(
        centre=centre,
        axes=HEAD * (face.girth * zoom, zoom),
        turn=math.radians(turn + rng.normal(0, 3)),
        roll=math.radians(rng.normal(0, 2.5)),
    )


def _draw_light(rng: np.random.Generator, camera: Camera, pose: Pose) -> Floats:
    """Brightness [height, width] about 1: a gradient from one side, and the falling off towards the head's edge."""
    y, x = np.ogrid[: camera.height, : camera.width]
    x = ((x - pose.centre[0]) / pose.axes[0]).astype(np.float32)
    y = ((y - pose.centre[1]) / pose.axes[1]).astype(np.float32)
    angle, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0.03, 0.15)
    edge = np.clip(x**2 + y**2, 0, 1) ** 2 * np.float32(rng.uniform(0.12, 0.25))
    light: Floats = (
        1.05 + x * np.float32(strength * math.cos(angle)) + y * np.float32(strength * math.sin(angle)) - edge
    )
    return light


def _draw_head(draw: ImageDraw.ImageDraw, face: Face, pose: Pose) -> None:
    """Flat colours, back to front: body, hair, head, and the features that turn with it."""

    def fill(points: Floats, colour: ArrayLike, *, turns: bool = True) -> None:
        pixels = (pose.project(points) if turns else pose.place(points)) * SUPERSAMPLE
        draw.polygon(pixels.ravel().tolist(), fill=_colour(colour))

    skin = np.array(face.skin)
    fill(_ellipse(0, 1.75, 1.35, 0.62), face.shirt, turns=False)
    fill(_neck_outline(), skin * 0.86, turns=False)
    fill(_ellipse(0, -0.14, 1.12, 1.03), face.hair, turns=False)
    fill(_head_outline(), skin, turns=False)
    # The hair in front: along the hairline, then back over the crown from one sideburn to the other.
    u = np.linspace(-0.98, 0.98, 25)
    hairline = pose.project(np.stack([u, face.hairline + 0.45 * np.abs(u) ** 3], axis=1))
    angle = np.linspace(-0.45, math.pi + 0.45, 30)
    crown = pose.place(np.stack([1.08 * np.cos(angle), -0.30 - 0.85 * np.sin(angle)], axis=1))
    draw.polygon((np.concatenate([hairline, crown]) * SUPERSAMPLE).ravel().tolist(), fill=face.hair)

    for sign in (-1, 1):
        fill(_ellipse(sign * 0.38, -0.03, 0.20, 0.085), skin * (0.86, 0.83, 0.83))  # lids and socket
        fill(_ellipse(sign * 0.38, -0.02, 0.165, 0.052), (236, 232, 228))
        fill(_ellipse(sign * 0.38, -0.022, 0.070, 0.050), face.iris)
        fill(_ellipse(sign * 0.38, -0.022, 0.030, 0.022), (12, 10, 10))
        fill(_arch(sign * 0.38, -0.055, 0.185, 0.035, 0.016), skin * 0.30)
        fill(_arch(sign * 0.40, -0.165, 0.23, 0.045, 0.030 * face.brow), np.array(face.hair) * 1.15)
        fill(_ellipse(sign * 0.075, 0.345, 0.048, 0.018), skin * 0.48)
        fill(np.array([[sign * 0.06, 0.0], [sign * 0.15, 0.34], [sign * 0.10, 0.30]]), skin * 0.88)
    fill(_ellipse(0, 0.31, 0.08, 0.04), skin * 1.06)
    fill(_arch(0, 0.565, 0.27, 0.070, 0.070), face.lips)
    fill(_ellipse(0, 0.570, 0.27, 0.014), np.array(face.lips) * 0.55)
    fill(_arch(0, 0.570, 0.25, -0.085, 0.085), np.array(face.lips) * 1.08)


def _head_outline() -> Floats:
    outline = _ellipse(0, 0, 0.97, 1.0)
    outline[:, 0] *= 1 - 0.10 * np.clip(outline[:, 1], 0, 1)  # narrower at the jaw
    return outline


def _neck_outline() -> Floats:
    return _ellipse(0, 1.00, 0.48, 0.42)


def _ellipse(u: float, v: float, du: float, dv: float) -> Floats:
    angle = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    return np.stack([u + du * np.cos(angle), v + dv * np.sin(angle)], axis=1)


def _arch(u: float, v: float, du: float, rise: float, thickness: float) -> Floats:
    """A band that rises by ``rise`` in its middle, ``thickness`` thick there and pointed at both ends."""
    t = np.linspace(-1, 1, 17)
    upper = v - rise * (1 - t**2)
    lower = upper + math.copysign(thickness, rise) * (1 - t**2)
    return np.concatenate([np.stack([u + du * t, upper], 1), np.stack([u + du * t, lower], 1)[::-1]])


def _draw_layers(marks: Sequence[Mark], pose: Pose, camera: Camera, contrast: float) -> dict[str, Floats]:
    """Layer -> how much of its ink lies on each pixel, float32 [height, width] in 0..1."""
    ends = np.cumsum([len(mark.points) for mark in marks])
    places = np.split(pose.project(np.concatenate([mark.points for mark in marks])), ends[:-1])
    skin = Image.new("L", (camera.width, camera.height))
    for part in (_head_outline(), _neck_outline()):
        ImageDraw.Draw(skin).polygon(pose.place(part).ravel().tolist(), fill=1)

    inks: dict[str, Floats] = {}
    for layer, (blur, _) in LAYERS.items():
        # What is blurred anyway is drawn small, as blurring is the slowest step.
        factor = 0.25 if blur > 2 else SUPERSAMPLE
        ink = Image.new("L", (int(camera.width * factor), int(camera.height * factor)))
        draw = ImageDraw.Draw(ink)
        for mark, place in zip(marks, places, strict=True):
            if mark.layer == layer:
                tone = min(255.0, 255 * mark.strength * contrast)
                _draw_stroke(draw, place * factor, mark.width * camera.scale * factor, tone)
        ink = ink.reduce(SUPERSAMPLE) if factor > 1 else ink.filter(ImageFilter.BoxBlur(blur * camera.scale * factor))
        ink = ink if ink.size == skin.size else ink.resize(skin.size, Image.Resampling.BICUBIC)
        inks[layer] = np.asarray(ink) * np.asarray(skin, dtype=np.float32) / np.float32(255)
    return inks


def _draw_stroke(draw: ImageDraw.ImageDraw, points: Floats, width: float, tone: float) -> None:
    if len(points) == 1:
        (x, y), radius = points[0], width / 2
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=round(tone))
        return
    # Fading ends; a stroke of one tone would look ruled.
    fades = np.sin(np.linspace(0, math.pi, len(points) + 1)[1:-1]) ** 0.5
    pixels = points.ravel().tolist()
    for i, fade in enumerate(fades.tolist()):
        draw.line(pixels[2 * i : 2 * i + 4], fill=round(tone * fade), width=max(1, round(width)))


def _box(rng: np.random.Generator, area: Area, pose: Pose, camera: Camera) -> Box:
    """The box around a part's projection, its edges off by a few percent as if placed by hand."""
    grid = np.stack(np.meshgrid(np.linspace(area[0], area[2], 5), np.linspace(area[1], area[3], 5)), -1).reshape(-1, 2)
    pixels = pose.project(grid)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    edges = np.concatenate([low, high]) + rng.normal(0, 0.02, 4) * np.tile(high - low, 2)
    x1, y1, x2, y2 = np.clip(edges, 0, [camera.width, camera.height] * 2).round().astype(int).tolist()
    return x1, y1, x2, y2


def _colour(channels: ArrayLike) -> Colour:
    red, green, blue = np.clip(np.asarray(channels), 0, 255).astype(int).tolist()
    return red, green, blue


def _image(pixels: Floats) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
