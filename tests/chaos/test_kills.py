"""A run of two trials at a time whose every process is killed at one moment, again and again, loses nothing.

`make chaos` runs this; with CHAOS_SEED set it kills at the moments that an earlier one has printed.
"""

import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.life import ENDING, KILLS_IN, Moment, Progress, dealt, lived, part_of, wait_for
from tests.chaos.twins import assert_checkpoints_are_the_twins, assert_same
from tests.conftest import write_synthetic_pack
from tests.integration.commands import Command, command

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

TRIALS, EPOCHS = 4, 4
CHAINS = KILLS_IN[ENDING]
"""Experiments that are killed again and again, side by side; only one kill can hit the end of each."""
COUNTS = {"train": (40, 20, 10), "val": (8, 6, 4), "test": (8, 6, 4)}
SPACE = f"""
method: random
parameters:
  learning_rate: {{distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}}
  backbone: {{value: resnet18}}
  weights: {{value: none}}
  image_size: {{value: 32}}
  batch_size: {{value: 32}}
  epochs: {{value: {EPOCHS}}}
"""


def tuning(folder: Path, name: str) -> tuple[Command, Progress]:
    """Start an experiment, or go on with it."""
    storage = folder / "runs"
    progress = Progress(storage, name, TRIALS, EPOCHS)
    words: tuple[object, ...] = ("--resume",)
    if not (progress.folder / "asked.json").exists():  # killed before the experiment had begun, if it was started
        at_once = ("--concurrent", 2, "--cpus-per-trial", 1)
        words = (folder / "pack.arrow", "--space", folder / "space.yaml", "--trials", TRIALS, *at_once)
    return command("tune", *words, "--name", name, "--storage", storage, "--wandb", "offline"), progress


def killed_again_and_again(folder: Path, name: str, moments: Sequence[Moment]) -> Counter[str]:
    """Kill an experiment at each of the moments, then let it end; the parts of its life in which it was hit."""
    hit: Counter[str] = Counter()
    for moment in moments:
        run, progress = tuning(folder, name)
        started = time.monotonic()
        reached = wait_for(run, progress, moment)
        if reached is None:
            _end_well(run, name)
            print(f"{name}: {moment} was too late", flush=True)
            continue
        run.kill_everything()
        part = part_of(reached, progress.end)
        hit[part] += 1
        compared = assert_checkpoints_are_the_twins(progress.folder, folder / "kept")
        print(
            f"{name}: killed {time.monotonic() - started:.1f} s after its start, {part} ({reached}), "
            f"{len(run.family) + 1} processes; {compared} checkpoints are the twin's",
            flush=True,
        )
    run, _ = tuning(folder, name)
    _end_well(run, name)
    return hit


def _end_well(run: Command, name: str) -> None:
    code, _, err = run.ended(200)
    assert code == 0, (name, err)


def test_nothing_is_lost_or_doubled_by_kills_all_over_the_life_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    write_synthetic_pack(tmp_path / "pack.arrow", COUNTS)
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "kept").mkdir()
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1 << 32))
    print(f"\nCHAOS_SEED={seed}")
    line = lived(*tuning(tmp_path, "twin"), tmp_path / "kept")
    print(f"the twin's life: {', '.join(f'{part} {a:.1f}-{b:.1f} s' for part, (a, b) in line.parts().items())}")
    hands = dealt(line.moments(random.Random(seed)), CHAINS)
    started = time.monotonic()
    with ThreadPoolExecutor(CHAINS) as beside:
        chains = [
            beside.submit(killed_again_and_again, tmp_path, f"killed{number}", hand)
            for number, hand in enumerate(hands)
        ]
    hit = sum((chain.result() for chain in chains), Counter())
    epochs = [assert_same(tmp_path / "runs", f"killed{number}", "twin") for number in range(CHAINS)]
    print(f"{hit.total()} kills {dict(hit)}, {sum(epochs)} epochs, {time.monotonic() - started:.0f} s")
    assert epochs == [TRIALS * EPOCHS] * CHAINS
    assert hit.total() >= 20
    assert all(hit[part] >= kills // 2 for part, kills in KILLS_IN.items()), "not all over the life of a run"
