"""What `inspect` says of a pack."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli_runner import skin_tune_here
from tests.conftest import PackMaker


def weights_of(output: str) -> dict[str, dict[str, float]]:
    """The table of weights: by class, then by beta."""
    heading, *rows = output.partition("class-balanced weights")[2].splitlines()[1:]
    names = [name for name in heading.split() if name.startswith("beta=")]
    cells = [row.split() for row in rows]
    return {row[0]: dict(zip(names, map(float, row[-len(names) :]), strict=True)) for row in cells}


def test_class_balanced_weights_are_those_of_the_formula_and_of_the_original_counts(make_pack: PackMaker):
    images = (240, 60, 6)
    pack = make_pack({"train": images, "val": (4, 4, 4), "test": (4, 4, 4)})
    shown = weights_of(skin_tune_here("inspect", pack.path).stdout)
    for beta in (0.9, 0.99, 0.999, 0.9999):
        raw = np.array([(1 - beta) / (1 - beta**count) for count in images])
        expected = 3 * raw / raw.sum()
        for name, weight in zip("012", expected, strict=True):
            assert shown[name][f"beta={beta}"] == pytest.approx(weight, abs=6e-4)


def test_a_class_without_a_training_image_has_no_weight_and_is_named(make_pack: PackMaker):
    pack = make_pack({"train": (24, 0, 6), "val": (4, 4, 4), "test": (4, 4, 4)})
    done = skin_tune_here("inspect", pack.path)
    assert done.returncode == 0, done.stderr
    assert "class 1 has no training image" in done.stdout


def test_to_look_at_a_pack_takes_no_torch(make_pack: PackMaker, tmp_path: Path):
    script = (
        "import sys\nfrom skin_tune.cli.main import main\n"
        f"sys.argv = ['skin-tune', 'inspect', {str(make_pack().path)!r}]\n"
        "main()\n"
        "print(sorted({'torch', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
