"""Epochs until a search has found what it is looking for, on the artificial sample.

Random search with full-length trials is what a user would write; ASHA with TPE is the default; a warm start has the
trials of a sibling region to begin with. A search that learns runs one trial at a time, so that epochs have an order;
trials of a random one are independent, and counted in the order of their numbers.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rows import Row
from skin_tune.data.prepare import prepare
from skin_tune.data.request import PrepareRequest
from skin_tune.data.sample import draw_sample
from skin_tune.results import load_epochs
from skin_tune.tuning.experiment import run_experiment
from skin_tune.tuning.plan import DEFAULT_TRIALS, TuneRequest

_SEEDS = (0, 1, 2)
_SUBJECTS, _EPOCHS = 40, 18
_TARGET, _SIBLING = "forehead_wrinkle", "glabellus_wrinkle"
_METRIC = "val_balanced_acc"
_NEAR = 0.01
_SIZE = 32


def measure() -> list[Row]:
    """Epochs to the first within 0.01 of the best that the slower search of each pair ends with, over three seeds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_sample(folder / "photos", subjects=_SUBJECTS, seed=0)
        prepare(PrepareRequest([folder / "photos"], f"{_TARGET},{_SIBLING}", size=_SIZE, out=folder / "packs"))
        default = _space(folder / "default.yaml", full_length=False)
        full_length = _space(folder / "full.yaml", full_length=True)
        _search(folder, _SIBLING, default, "sibling", 0)
        for seed in _SEEDS:
            _search(folder, _TARGET, default, f"default-{seed}", seed)
            _search(folder, _TARGET, default, f"warm-{seed}", seed, warm_start=["sibling"])
            _search(folder, _TARGET, full_length, f"random-{seed}", seed, concurrent=2, cpus_per_trial=1)
        epochs = load_epochs(folder / "runs", _TARGET).sort_values(["experiment", "trial_id", "epoch"])
        histories = epochs.groupby("experiment")[_METRIC].apply(list)
    return [
        *_rows("ASHA + TPE / random search, full length", histories, "default", "random", "<= 0.25", 0.25),
        *_rows("with a sibling region's trials / without", histories, "warm", "default", "-", float("inf")),
    ]


def _rows(name: str, histories: Any, ours: str, theirs: str, bar: str, most: float) -> list[Row]:
    spent = {ours: 0, theirs: 0}
    for seed in _SEEDS:
        goal = min(max(histories[f"{search}-{seed}"]) for search in spent) - _NEAR
        for search in spent:
            history = histories[f"{search}-{seed}"]
            spent[search] += 1 + next(index for index, score in enumerate(history) if score >= goal)
    share = spent[ours] / spent[theirs]
    bests = {search: statistics.mean(max(histories[f"{search}-{seed}"]) for seed in _SEEDS) for search in spent}
    return [
        Row(f"epochs to the best of {len(_SEEDS)} searches, {name}", share, "ratio", bar, share <= most),
        *(Row(f"- {search} searches: epochs to it", epochs, "epochs", "-", True) for search, epochs in spent.items()),
        *(Row(f"- {search} searches: mean best", best, _METRIC, "-", True) for search, best in bests.items()),
    ]


def _space(path: Path, *, full_length: bool) -> Path:
    """The sample's space, with smaller images and longer trials."""
    space = yaml.safe_load(Path("search_spaces/sample.yaml").read_text())
    space["parameters"]["image_size"]["value"] = _SIZE
    space["parameters"]["epochs"]["value"] = _EPOCHS
    if full_length:
        space["method"] = "random"
        del space["early_terminate"]
    path.write_text(yaml.safe_dump(space))
    return path


def _search(
    folder: Path, region: str, space: Path, name: str, seed: int, *, concurrent: int = 1, **options: Any
) -> None:
    pack = folder / "packs" / f"{region}-{_SIZE}.arrow"
    run_experiment(
        TuneRequest(
            pack,
            space,
            name=name,
            seed=seed,
            trials=DEFAULT_TRIALS,
            storage=folder / "runs",
            wandb="disabled",
            concurrent=concurrent,
            **options,
        )
    )
