"""Draws docs/pictures/rooms.svg from the imports: `python docs/draw_rooms.py`.

Floors are the layers that import-linter holds; an arrow is an import from one room by another. An arrow that a longer
way implies is not drawn, nor are those to `errors`.
"""

import ast
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "rooms.svg"
PACKAGE = "skin_tune"

_WIDTH, _MARGIN, _FLOOR, _BOX, _GAP = 1000, 20, 96, 56, 14
_CHARACTER = 5.9  # of a purpose, in pixels
_STYLE = """
svg { background: #ffffff; font-family: system-ui, sans-serif; }
rect { fill: #e8f0f8; stroke: #4a6785; }
.name { font-size: 14px; font-weight: 600; fill: #1c2b3a; }
.purpose { font-size: 10.5px; fill: #44566a; }
path { fill: none; stroke: #7a8fa5; stroke-width: 1.2; marker-end: url(#head); }
"""


def floors() -> list[list[str]]:
    """Rooms by floor, the highest first: the layers of pyproject.toml, and `results` beside `inference`."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (contract["layers"] for contract in linter["contracts"] if contract["type"] == "layers")
    rooms = [[name.strip().removeprefix(f"{PACKAGE}.") for name in layer.split("|")] for layer in layers]
    next(floor for floor in rooms if "data" in floor).append("results")
    return rooms


def arrows(rooms: list[str]) -> set[tuple[str, str]]:
    """Pairs (importer, imported) of rooms, without those that a longer way implies."""
    graph = grimp.build_graph(PACKAGE)
    found = {
        (importer, imported)
        for importer in rooms
        for imported in rooms
        if importer != imported
        and graph.direct_import_exists(
            importer=f"{PACKAGE}.{importer}", imported=f"{PACKAGE}.{imported}", as_packages=True
        )
    }
    found = {pair for pair in found if pair[1] != "errors"}  # almost all rooms import it
    return {pair for pair in found if not any((pair[0], via) in found and (via, pair[1]) in found for via in rooms)}


def purpose(room: str) -> str:
    """First sentence of a room's docstring."""
    path = ROOT / PACKAGE / room
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0].split(": ")[0].rstrip(".")


def contents(room: str) -> str:
    """Names of the rooms within a room, or of its files if it has none."""
    path = ROOT / PACKAGE / room
    if not path.is_dir():
        return ""
    within = sorted(each.parent.name for each in path.glob("*/__init__.py"))
    files = sorted(each.stem for each in path.glob("*.py") if each.stem != "__init__")
    return ", ".join(within or files)


def svg() -> str:
    """The picture."""
    places: dict[str, tuple[float, float, float]] = {}
    stacked = floors()
    for row, floor in enumerate(stacked):
        width = (_WIDTH - 2 * _MARGIN - _GAP * (len(floor) - 1)) / max(len(floor), 1.5)
        left = (_WIDTH - width * len(floor) - _GAP * (len(floor) - 1)) / 2
        for column, room in enumerate(floor):
            places[room] = (left + column * (width + _GAP), _MARGIN + row * _FLOOR, width)
    lines = [_arrow(places[start], places[end]) for start, end in sorted(arrows(list(places)))]
    boxes = [_box(room, *place) for room, place in places.items()]
    height = 2 * _MARGIN + _FLOOR * (len(stacked) - 1) + _BOX
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}">',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
            '<path d="M0,0 L6,3 L0,6" style="marker-end: none"/></marker></defs>',
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def _box(room: str, x: float, y: float, width: float) -> str:
    rows = "".join(
        f'<text class="purpose" x="{x + 10:.0f}" y="{y + 33 + 14 * number:.0f}">{escape(_fitted(line, width))}</text>'
        for number, line in enumerate((purpose(room), contents(room)))
    )
    name = f'<text class="name" x="{x + 10:.0f}" y="{y + 18:.0f}">{room}</text>'
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_BOX}" rx="5"/>{name}{rows}'


def _fitted(line: str, width: float) -> str:
    most = int(width / _CHARACTER)
    return line if len(line) <= most else f"{line[: most - 1].rpartition(', ')[0]}, …"


def _arrow(start: tuple[float, float, float], end: tuple[float, float, float]) -> str:
    x1, y1, x2, y2 = start[0] + start[2] / 2, start[1] + _BOX, end[0] + end[2] / 2, end[1] - 2
    return f'<path d="M{x1:.0f},{y1:.0f} C{x1:.0f},{y1 + 40:.0f} {x2:.0f},{y2 - 40:.0f} {x2:.0f},{y2:.0f}"/>'


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(svg())
