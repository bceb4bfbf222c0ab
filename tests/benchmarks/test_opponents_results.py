"""Splits of the opponents, and results that are computed once."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from benchmarks.opponents import __main__ as command
from benchmarks.opponents.packs import draw_subjects, split_anew
from benchmarks.opponents.results import OpponentsError, read_results, result_path
from benchmarks.opponents.run import run_opponents
from skin_tune.data.pack.format import Pack, content_of
from tests.benchmarks.tiny_network import build_tiny
from tests.conftest import PackMaker

SPACE = Path(command.__file__).parents[1] / "ham10000.yaml"


@pytest.fixture(autouse=True)
def _a_tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.opponents.loop.build_network", build_tiny)


@pytest.fixture
def base(make_pack: PackMaker) -> Pack:
    return make_pack({"train": (20, 12, 6), "val": (4, 3, 3), "test": (4, 3, 3)}, size=16)


def run(base: Pack, work: Path, only: str = "loop", epochs: int = 1) -> list[str]:
    """What was run."""
    told: list[str] = []
    run_opponents(
        base,
        work,
        split_seeds=[0],
        opponents=only.split(","),
        epochs=epochs,
        image_size=16,
        space=SPACE,
        tell=told.append,
    )
    return [line.partition(": ")[2].partition(",")[0] for line in told]


def test_a_share_of_the_subjects_of_each_class_is_drawn():
    labels = np.repeat([0, 1, 2], [40, 20, 4])
    subjects = np.array([f"s{row // 2}" for row in range(64)])
    rows = draw_subjects(labels, subjects, seed=0, fraction=0.5)
    assert np.bincount(labels[rows]).tolist() == [20, 10, 4]
    assert len(np.unique(subjects[rows])) == 17
    assert len(draw_subjects(labels, subjects, seed=0, fraction=0.01)) == 2 * (3 + 3 + 2)
    assert rows.tolist() != draw_subjects(labels, subjects, seed=1, fraction=0.5).tolist()


def test_a_split_is_a_sound_pack_of_the_same_photos(base: Pack, tmp_path: Path):
    pack = split_anew(base, tmp_path / "new.arrow", seed=1)
    assert content_of(pack) == pack.info.pack_id
    assert sorted(pack.subjects) == sorted(base.subjects)
    assert [len(pack.indices(split)) for split in ("train", "val", "test")] == pytest.approx([35, 12, 12], abs=2)
    assert pack.info.pack_id != split_anew(base, tmp_path / "other.arrow", seed=2).info.pack_id


def test_a_result_is_computed_once(base: Pack, tmp_path: Path):
    assert run(base, tmp_path) == ["loop"]
    written = result_path(tmp_path, "loop", 0).read_bytes()
    assert run(base, tmp_path) == []
    assert result_path(tmp_path, "loop", 0).read_bytes() == written
    assert run(base, tmp_path, "loop,optuna+") == ["optuna+"]


def test_predictions_alone_are_no_result(base: Pack, tmp_path: Path):
    run(base, tmp_path)
    path = result_path(tmp_path, "loop", 0)
    written = path.read_text()
    path.unlink()
    assert run(base, tmp_path) == ["loop"]
    assert path.read_text().partition('"seconds"')[0] == written.partition('"seconds"')[0]


def test_a_result_of_other_settings_is_an_error(base: Pack, tmp_path: Path):
    run(base, tmp_path)
    with pytest.raises(OpponentsError, match="made with epochs 1, not 2; give another --work"):
        run(base, tmp_path, epochs=2)


def test_a_result_holds_what_its_predictions_give(base: Pack, tmp_path: Path):
    run(base, tmp_path)
    result, said = read_results(tmp_path)["loop"][0]
    assert result.test_balanced_acc == pytest.approx(balanced_accuracy_score(said.labels, said.predicted))
    assert result.test_macro_f1 == pytest.approx(f1_score(said.labels, said.predicted, average="macro"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--work", "w"], "give one of --data and --pack"),
        (["run", "--work", "w", "--pack", "p", "--fraction", "2"], "--fraction 2 is outside (0, 1]"),
        (["run", "--work", "w", "--pack", "p", "--split-seeds", "a"], "--split-seeds 'a'"),
        (["run", "--work", "w", "--pack", "p", "--space", "none.yaml"], "--space 'none.yaml' does not exist"),
        (["run", "--work", "w", "--pack", "p.arrow"], "pack 'p.arrow' does not exist"),
        (["table", "--work", "nowhere"], "no result below 'nowhere/results'"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["opponents", *words])
    with pytest.raises(SystemExit) as leave:
        command.main()
    error = capsys.readouterr().err
    assert leave.value.code == 2
    assert said in error
    assert error.count("\n") == 1


def test_an_unknown_opponent_is_an_error(base: Pack, tmp_path: Path):
    with pytest.raises(OpponentsError, match="no opponent is called lopp; there are loop, "):
        run(base, tmp_path, "lopp")
