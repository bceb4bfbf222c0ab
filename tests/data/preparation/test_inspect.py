"""What `inspect` says of a pack."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest

Draw = Callable[..., Image.Image]


Folders = Callable[..., Path]


AddLabel = Callable[..., Path]


Cli = Callable[..., tuple[int, str]]


def test_inspect_shows_the_classes_and_counts_of_a_pack(tree: Path, tmp_path: Path, skin_tune: Cli) -> None:
    prepare(PrepareRequest([tree], "lip_dryness", size=32, out=tmp_path / "packs"))
    code, printed = skin_tune("inspect", tmp_path / "packs" / "lip_dryness-32.arrow")
    assert code == 0
    assert "lip_dryness: 21 crops of 32 px" in printed
    assert "class list: 0, 1, 2, 3, 4" in printed
    assert "split 60/20/20 by subject, seed 0" in printed


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"ARROW1\0\0"])
def test_inspect_of_what_is_no_pack_is_one_line(tmp_path: Path, skin_tune: Cli, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.arrow").write_bytes(content)
    code, printed = skin_tune("inspect", tmp_path / "x.arrow")
    assert code == 2
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
