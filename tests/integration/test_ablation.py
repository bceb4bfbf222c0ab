"""The ablation as a lab runs it: the job, its table, its figure."""

import re
from pathlib import Path

import pytest

from skin_tune.results import load_trials
from tests.cli_runner import ONE_PROCESS, run_job_here
from tests.conftest import write_synthetic_pack

SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=42", "epochs=1", "warmup_epochs=0")

COMMAND = ("ablation", "lip_dryness", "--packs", "packs", "--size", 32, *ONE_PROCESS)


@pytest.fixture(scope="module")
def lab(shared_cluster: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    (folder / "packs").mkdir()
    write_synthetic_pack(folder / "packs" / "lip_dryness-32.arrow", classes=("1", "1.5", "2"))
    return folder


def test_every_cell_is_run_with_every_seed_and_the_effects_are_shown(lab: Path):
    first = run_job_here(*COMMAND, "--seeds", 1, *SMALL, cwd=lab)
    assert first.returncode == 0, first.stderr
    assert "one seed" in first.stdout
    done = run_job_here(*COMMAND, "--seeds", 2, *SMALL, cwd=lab)
    assert done.returncode == 0, done.stderr
    trials = load_trials(lab / "runs", "lip_dryness", "ablation")
    factors = ["config/train_loss", "config/oversample", "config/augmentation_methods", "config/seed"]
    assert len(trials) == 24
    assert not trials.duplicated(factors).any()
    assert set(trials["config/augment"].dropna()) == {"all"}  # it means nothing to cells without augmentation
    assert set(trials["status"]) == {"completed"}
    for words in ("synergy of class-balanced loss and oversampling", "over subjects and 2 seeds"):
        assert words in done.stdout
    recalls = [f"recall of {name}" for name in ("2", "1.5", "1")]  # the rarest first
    assert re.findall(r"recall of [\d.]+", done.stdout) == recalls
    row = next(line for line in done.stdout.splitlines() if line.split()[:3] == ["cross-entropy", "none", "off"])
    cell = trials[trials["trial_id"].isin(["ablation-000", "ablation-012"])]
    expected = [f"{cell[f'val_recall_{name}'].mean():.3f}" for name in ("2", "1.5", "1")]
    assert row.split()[-3:] == expected
    figure = (lab / "ablation.html").read_text()
    assert "effects on balanced accuracy" in figure
    assert "class-balanced, adjusted" in figure
    assert "<script src=" not in figure


def test_what_the_ablation_varies_cannot_be_fixed(lab: Path):
    for words, said in (
        (("gamma=2", "oversample=none"), "oversample=none cannot be fixed"),
        (("--seeds", "0"), "--seeds 0 is below 1"),
    ):
        refused = run_job_here(*COMMAND, *words, cwd=lab)
        assert refused.returncode == 2
        assert refused.stderr.startswith("error: ")
        assert said in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
