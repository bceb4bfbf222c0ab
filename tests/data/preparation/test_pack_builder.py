"""Nothing half-written: a failure at any step leaves the folder as it was."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import skin_tune.data.preparation.pack_builder as choosing
import skin_tune.data.preparation.pack_files as packing
import skin_tune.data.preparation.prepare as prepare_module
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.errors import SkinTuneError, SourceError
from tests.data.preparation.outcome import files_in

Draw = Callable[..., Image.Image]


Folders = Callable[..., Path]


AddLabel = Callable[..., Path]


Cli = Callable[..., tuple[int, str]]


@pytest.mark.parametrize("step", ["cut_all", "move_together", "complete_pack", "write_quarantine", "split_by_subject"])
@pytest.mark.parametrize(
    "failure", [OSError(28, "No space left on device"), MemoryError(), KeyboardInterrupt(), SourceError("killed")]
)
def test_a_failure_at_any_step_leaves_the_folder_as_it_was(
    tmp_path: Path, class_folders: Folders, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    root = class_folders(tmp_path / "root", {"0": 3, "1": 3})

    def failing(*_: Any, **__: Any) -> Any:
        raise failure

    (module,) = (module for module in (prepare_module, choosing, packing) if hasattr(module, step))
    monkeypatch.setattr(module, step, failing)
    expected = SkinTuneError if isinstance(failure, OSError | SourceError) else type(failure)
    with pytest.raises(expected) as caught:
        prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    if isinstance(failure, OSError):
        assert str(caught.value).endswith("cannot be written to: No space left on device")
    assert not (tmp_path / "packs").exists()


def test_a_failed_rename_leaves_neither_pack_nor_quarantine(
    tmp_path: Path, class_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "root", {"0": 3, "1": 3})
    (tmp_path / "packs").mkdir()

    def refusing(self: Path, target: Path) -> Path:
        raise PermissionError(1, "Operation not permitted", str(target))

    monkeypatch.setattr(Path, "replace", refusing)
    with pytest.raises(SourceError, match="cannot be written to: Operation not permitted"):
        prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    assert files_in(tmp_path / "packs") == []


@pytest.mark.parametrize("before", [False, True])
def test_where_one_pack_cannot_be_written_none_is(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    out = tmp_path / "packs"
    if before:
        prepare(PrepareRequest([tree], "all", size=16, out=out, split_seed=1))
    old = {path.name: path.read_bytes() for path in out.glob("*")}
    written: list[Path] = []

    def full_at_the_sixth(write: Callable[..., Any]) -> Callable[..., Any]:
        def writing(path: Path, *about: Any) -> Any:
            written.append(path)
            if len(written) == 6:
                raise OSError(28, "No space left on device")
            return write(path, *about)

        return writing

    for writer in ("complete_pack", "complete_crops", "write_sharing_pack"):
        monkeypatch.setattr(packing, writer, full_at_the_sixth(getattr(packing, writer)))
    with pytest.raises(SourceError, match="cannot be written to: No space left on device"):
        prepare(PrepareRequest([tree], "all", size=16, out=out))
    assert len(written) == 6
    assert {path.name: path.read_bytes() for path in out.glob("*")} == old


def test_ctrl_c_while_processes_cut_leaves_nothing_and_no_process_complains(
    tmp_path: Path, class_folders: Folders
) -> None:
    root = class_folders(tmp_path / "root", {"0": 60, "1": 60})
    big = Image.effect_noise((1500, 1500), 80).convert("RGB")
    big.save(tmp_path / "big.jpg")
    for image in root.rglob("*.png"):
        image.unlink()
        os.link(tmp_path / "big.jpg", image.with_suffix(".jpg"))
    program = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from skin_tune.data.preparation.prepare import prepare
        from skin_tune.data.sources.request import PrepareRequest
        if __name__ == "__main__":
            os.sched_getaffinity = lambda pid: {0, 1}
            try:
                prepare(PrepareRequest([Path(sys.argv[1])], "acne", out=Path(sys.argv[2])))
            except KeyboardInterrupt:
                print("interrupted")
        """
    )
    (tmp_path / "program.py").write_text(program)
    running = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), str(root), str(tmp_path / "packs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not any(any(path.read_bytes()[:9000]) for path in (tmp_path / "packs").glob(".prepare-*/acne-256.arrow")):
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
    printed, _ = running.communicate(timeout=60)
    assert printed == "interrupted\n"
    assert not (tmp_path / "packs").exists()
