"""A small lab: photos of its own, a table of them, and what `prepare` makes of both."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from skin_tune.data.pack.format import Pack, open_pack

Cli = Callable[..., tuple[int, str]]


Rows = Sequence[Sequence[object]]


class Lab:
    """A folder with photos and a table of them, and what `prepare` makes of it."""

    def __init__(self, folder: Path, skin_tune: Cli):
        self.folder, self._skin_tune = folder, skin_tune
        self._drawn = 0

    def photo(self, name: str) -> str:
        """Draw a photo that is like no other; its name."""
        self._drawn += 1
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(self._drawn).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        return name

    def table(self, header: str, rows: Rows, name: str = "t.csv") -> Path:
        """A table whose first column are photos, which are drawn where they are not there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header.split(","))
            writer.writerows(rows)
        for row in rows:
            if not (path.parent / str(row[0])).exists():
                self.photo(str(path.parent.relative_to(self.folder) / str(row[0])))
        return path

    def graded(self, grades: Sequence[object], each: int = 3) -> Path:
        """A table of `each` photos, of as many people, for every grade."""
        rows = [(f"{n}-{i}.png", grade, f"p{n}-{i}") for n, grade in enumerate(grades) for i in range(each)]
        return self.table("path,label,subject", rows)

    def prepare(self, *words: object) -> tuple[int, str]:
        """Exit code and what was printed, on one line for each."""
        code, printed = self._skin_tune(
            "prepare", *words, "--region", "acne", "--size", 16, "--out", self.folder / "packs"
        )
        return code, re.sub(r" *\n(?!\w+:|\w+ |\d)", " ", printed)

    def refused(self, *words: object) -> str:
        """The one line with which `prepare` refuses; nothing is left behind."""
        before = sorted(self.folder.glob("packs/*"))
        code, printed = self.prepare(*words)
        assert code == 2, printed
        assert printed.startswith("error: ")
        assert printed.strip().count("\n") == 0, printed
        assert sorted(self.folder.glob("packs/*")) == before
        return printed

    def packed(self, *words: object) -> tuple[Pack, str]:
        """The pack, and what was printed."""
        code, printed = self.prepare(*words)
        assert code == 0, printed
        return open_pack(self.folder / "packs" / "acne-16.arrow"), printed

    def inspected(self, pack: Pack) -> str:
        """What `inspect` says of a pack."""
        code, printed = self._skin_tune("inspect", pack.path)
        assert code == 0, printed
        return printed

    @property
    def quarantine(self) -> dict[str, str]:
        """Reason by source."""
        with (self.folder / "packs" / "acne-16.quarantine.csv").open(newline="", encoding="utf-8") as file:
            return {row["source"]: row["reason"] for row in csv.DictReader(file)}


def label_of(pack: Pack) -> dict[str, str]:
    return {
        source: pack.classes[label] for source, label in zip(pack.sources.tolist(), pack.labels.tolist(), strict=True)
    }
