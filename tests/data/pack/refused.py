"""What a file that is no sound pack is refused with."""

from pathlib import Path

import pytest

from skin_tune.data.pack.format import open_pack
from skin_tune.errors import PackError


def refusal(path: Path) -> str:
    """The one line that `open_pack` refuses `path` with, which names it."""
    with pytest.raises(PackError) as caught:
        open_pack(path)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert "\n" not in message
    return message
