"""The README's six commands, on photos of artificial faces: `python docs/pictures/first_run.py FOLDER`.

Draws 80 people into FOLDER and writes their forehead grades to labels.csv. Cuts three crops of people of another
seed, for `predict`. Runs the commands, and draws learning_curves.svg beside this script. Minutes on 2 idle CPU cores.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from learning_curves import draw_learning_curves
from PIL import Image

from skin_tune.data.synthetic.dataset import draw_sample

REGION = "forehead_wrinkle"
COMMANDS = (
    f"prepare labels.csv --region {REGION} --subject-column patient --size 72",
    f"inspect packs/{REGION}-72.arrow",
    f"tune packs/{REGION}-72.arrow --space search_spaces/sample.yaml --name first",
    "compare first --limit 3",
    "refit first",
    f"predict runs/experiments/{REGION}/first/refit/MODEL/model.pt crops",
)


def main(folder: Path) -> None:
    draw_sample(folder / "photos", subjects=80, seed=0)
    draw_sample(folder / "others", subjects=21, seed=1)
    write_csv(folder / "labels.csv", folder / "photos")
    cut_crops(folder / "crops", folder / "others", people=("0001", "0010", "0020"))
    for command in COMMANDS:
        if "MODEL" in command:
            (model,) = (folder / f"runs/experiments/{REGION}/first/refit").iterdir()
            command = command.replace("MODEL", model.name)
        print(f"\n$ skin-tune {command}", flush=True)
        words = [sys.executable, "-m", "skin_tune", *command.split()]
        subprocess.run(words, cwd=folder, check=True, env=os.environ | {"COLUMNS": "110", "WANDB_MODE": "disabled"})
    draw_learning_curves(folder / "runs", "first", Path(__file__).with_name("learning_curves.svg"))


def foreheads(tree: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Photo and AI-Hub label of each forehead."""
    for path in sorted((tree / "label").rglob("*_01.json")):
        label = json.loads(path.read_text(encoding="utf-8"))
        yield tree / "img" / path.relative_to(tree / "label").with_name(label["info"]["filename"]), label


def write_csv(path: Path, tree: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "label", "patient", "left", "top", "right", "bottom"))
        for photo, label in foreheads(tree):
            grade, box = label["annotations"][REGION], label["images"]["bbox"]
            table.writerow((photo.relative_to(path.parent), grade, label["info"]["id"], *box))


def cut_crops(out: Path, tree: Path, people: tuple[str, ...]) -> None:
    out.mkdir()
    for photo, label in foreheads(tree):
        if label["info"]["id"] in people and photo.stem.endswith("_01_F"):
            crop = Image.open(photo).crop(label["images"]["bbox"])
            crop.save(out / f"person-{label['info']['id']}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
