"""A plain script may do what is done by several processes: it is run once, not by each of them again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skin_tune.data.preparation.cutting import available_cpus

SCRIPT = """
from skin_tune import prepare

print("begun")
print(len(prepare("photos", "moles", size=16, classes="0,1", out="packs")), "pack")
"""


@pytest.mark.skipif(
    available_cpus() < 2, reason="photos are cut in processes of their own where there are several cores"
)
def test_a_script_needs_no_guard(tmp_path: Path):
    rng = np.random.default_rng(0)
    for number in range(70):  # enough for two processes
        photo = tmp_path / "photos" / str(number % 2) / f"{number}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(256, size=(16, 16, 3), dtype=np.uint8)).save(photo)
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "begun\n1 pack\n", "")
