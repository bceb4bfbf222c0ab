"""Results on disk: for each opponent and split seed a JSON file, and its test predictions beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skin_tune.errors import SkinTuneError
from skin_tune.storage.files import atomic_write


class OpponentsError(SkinTuneError):
    """What was asked for does not fit the results that are there."""


@dataclass(frozen=True)
class Predictions:
    """What a model said of a test split."""

    subjects: npt.NDArray[np.str_]
    """[N]"""
    labels: npt.NDArray[np.int64]
    """[N]"""
    predicted: npt.NDArray[np.int64]
    """[N]"""


@dataclass(frozen=True)
class Result:
    """One opponent on one split."""

    opponent: str
    split_seed: int
    settings: dict[str, Any]
    """Pack, epochs and image size: those of results that compare."""
    classes: list[str]
    config: dict[str, Any]
    """Hyper-parameters of the chosen model."""
    epoch: int
    val_balanced_acc: float
    test_balanced_acc: float
    test_macro_f1: float
    test_acc: float
    images_drawn: int
    budget: int
    runs: int
    """Configs that were trained, to their ends or not."""
    seconds: float
    machine: str


def result_path(work: Path, opponent: str, split_seed: int) -> Path:
    """Where the JSON of a result lies; its predictions have the ending npz."""
    return work / "results" / f"{opponent}-{split_seed}.json"


def write_result(work: Path, result: Result, predictions: Predictions) -> None:
    """Write the predictions and then the JSON, whose presence says that the result is complete."""
    path = result_path(work, result.opponent, result.split_seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **asdict(predictions))
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asdict(result), indent=2) + "\n")


def is_done(work: Path, opponent: str, split_seed: int, settings: dict[str, Any]) -> bool:
    """Whether there is a result. Raises OpponentsError where that was made with other settings."""
    path = result_path(work, opponent, split_seed)
    if not path.exists():
        return False
    found = read_result(path)[0].settings
    if found != settings:
        changed = [name for name in settings if found.get(name) != settings[name]]
        told = ", ".join(f"{name} {found.get(name)!r}, not {settings[name]!r}" for name in changed)
        raise OpponentsError(f"{str(path)!r} was made with {told}; give another --work")
    return True


def read_result(path: Path) -> tuple[Result, Predictions]:
    """A result from its JSON file, with its predictions."""
    with np.load(path.with_suffix(".npz")) as columns:
        predictions = Predictions(**columns)
    return Result(**json.loads(path.read_text())), predictions


def read_results(work: Path) -> dict[str, dict[int, tuple[Result, Predictions]]]:
    """All results by opponent and split seed. Raises OpponentsError where there is none."""
    found: dict[str, dict[int, tuple[Result, Predictions]]] = {}
    for path in sorted((work / "results").glob("*.json")):
        result, predictions = read_result(path)
        found.setdefault(result.opponent, {})[result.split_seed] = result, predictions
    if not found:
        raise OpponentsError(f"no result below {str(work / 'results')!r}; run the opponents first")
    return found
