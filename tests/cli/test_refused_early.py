"""A mistake that can be told without PyTorch, which takes seconds to load, is told before it is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PackMaker

REFUSED = {
    "train no.arrow": "pack 'no.arrow' does not exist",
    "train pack.arrow learning_rate=fast": "learning_rate='fast' is not a number",
    "train pack.arrow image_size=32 batch_size=16 --name taken": "already exists",
    "train pack.arrow image_size=32 batch_size=16 --metric nonsense": "metric 'nonsense' is not one of",
    "train pack.arrow --resume no.pt": "checkpoint 'no.pt' does not exist",
    "tune no.arrow": "pack 'no.arrow' does not exist",
    "evaluate no.pt pack.arrow": "checkpoint 'no.pt' does not exist",
    "evaluate model.pt no.arrow": "pack 'no.arrow' does not exist",
    "evaluate model.pt pack.arrow --split holdout": "--split 'holdout' is not one of",
    "predict no.pt photo.png": "checkpoint 'no.pt' does not exist",
    "predict model.pt no.png": "photo 'no.png' does not exist",
    "export no.pt": "checkpoint 'no.pt' does not exist",
    "export model.pt --format tflite": "--format 'tflite' is not one of",
    "export model.pt --pack no.arrow": "pack 'no.arrow' does not exist",
    "refit unknown": "no trial of experiment 'unknown'",
    "combine unknown": "no trial of experiment 'unknown'",
    "confirm unknown": "no trial of experiment 'unknown'",
}


@pytest.mark.parametrize("words", REFUSED)
def test_it_is_refused_without_pytorch(words: str, make_pack: PackMaker, tmp_path: Path):
    make_pack().path.rename(tmp_path / "pack.arrow")
    (tmp_path / "model.pt").touch()
    (tmp_path / "runs" / "results").mkdir(parents=True)
    (tmp_path / "runs" / "experiments" / "lip_dryness" / "taken").mkdir(parents=True)
    script = (
        "import sys\nfrom skin_tune.cli.main import main\n"
        f"sys.argv = ['skin-tune', *{words.split()}]\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert REFUSED[words] in done.stderr
    assert done.stdout.splitlines()[-1] == "False"
