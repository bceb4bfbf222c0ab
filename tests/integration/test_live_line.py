"""What long commands show while they run, on a real terminal; in a pipe, see test_tune."""

import itertools
import re
from pathlib import Path

import pytest

from tests.cli_runner import ONE_PROCESS
from tests.conftest import write_synthetic_pack
from tests.integration.terminal import Watched, watch

SPACE = """
method: grid
parameters:
  learning_rate: {values: [1.0e-3, 3.0e-3]}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 42}
  oversample: {value: none}
  warmup_epochs: {value: 0}
  epochs: {value: 2}
"""
COLUMNS = 90


@pytest.fixture(scope="module")
def lab(shared_cluster: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    write_synthetic_pack(folder / "pack.arrow")
    (folder / "space.yaml").write_text(SPACE)
    return folder


@pytest.fixture(scope="module")
def tuned(lab: Path) -> Watched:
    command = ("tune", "pack.arrow", "--space", "space.yaml", "--name", "exp", *ONE_PROCESS)
    return watch(*command, columns=COLUMNS, cwd=lab)


def check_live(watched: Watched) -> list[str]:
    """Something is shown from the first seconds on, it moves all the time, and it fits; the texts of the line."""
    assert watched.returncode == 0, watched.lines
    times = [at for at, _ in watched.frames]
    assert times[0] < 10  # Python itself has to start
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 15
    texts = [text for _, text in watched.frames]
    live = [text for text in texts if text not in watched.lines]  # what is printed at the end may be long
    assert [text for text in live if len(text) >= COLUMNS] == []
    assert not any("0 running" in text for text in texts)
    return texts


def in_order(texts: list[str], *stages: str) -> None:
    """Fail unless a text that has each of `stages` comes after one that has the stage before it."""
    rest = iter(texts)
    for stage in stages:
        assert any(re.search(stage, text) for text in rest), f"{stage} is missing, or too late"


def test_a_search_tells_what_it_waits_for_and_then_its_epochs(tuned: Watched):
    texts = check_live(tuned)
    in_order(
        texts,
        "checking the experiment",
        "loading Ray",
        "joining the Ray cluster",
        "0/2 trials done .* starting the first trials",
        "0/2 trials done, 1 running, in epoch 1/2 .* in the first epoch for",
        "1/2 trials done",
    )
    assert any(re.search(r"in epoch \d/2 .* left", text) for text in texts)
    assert tuned.lines[0].startswith("2/2 trials done | best val_balanced_acc ")
    assert len([line for line in tuned.lines if "trials done" in line]) == 1


def test_a_confirmation_does_too(lab: Path, tuned: Watched):
    confirmed = watch("confirm", "exp", "--top", 1, "--seeds", 1, *ONE_PROCESS, columns=COLUMNS, cwd=lab)
    in_order(check_live(confirmed), "checking the experiment", "Ray", "0/1 trials done .* starting", r"in epoch \d/2")


def test_a_refit_does_too(lab: Path, tuned: Watched):
    refitted = watch("refit", "exp", columns=COLUMNS, cwd=lab)
    in_order(
        check_live(refitted),
        "loading PyTorch",
        "joining the Ray cluster",
        "starting 1 worker and the first epoch",
        r"epoch \d/2 .* left",
        "grading the test split",
    )
    assert any("this test split has been opened once" in line for line in refitted.lines)


def test_a_training_does_too_and_an_error_is_one_line(lab: Path):
    config = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=42", "oversample=none", "epochs=2")
    words = (*config, "--name", "hand")
    trained = watch("train", "pack.arrow", *words, columns=COLUMNS, cwd=lab)
    in_order(check_live(trained), "loading PyTorch", "in the first epoch", r"epoch \d/2 ")
    again = watch("train", "pack.arrow", *words, columns=COLUMNS, cwd=lab)
    assert again.returncode == 2
    assert [line.partition(":")[0] for line in again.lines] == ["error"]
