"""The file in which Optuna keeps what it has asked and been told."""

import tempfile
from pathlib import Path

from skin_tune.paths import download, is_local, upload


class Journal:
    """A `file` on this machine: `kept` itself, or where that is in a bucket, a copy that `save` brings there."""

    def __init__(self, kept: Path):
        self._kept, self._saved = kept, 0
        if is_local(kept):
            self.file = kept
            self.file.parent.mkdir(parents=True, exist_ok=True)
            return
        self._folder = tempfile.TemporaryDirectory(prefix="skin-tune-")
        self.file = Path(self._folder.name) / kept.name
        if kept.is_file():
            download(kept, self.file)
            self._saved = self.file.stat().st_size

    def save(self) -> None:
        """Bring what has been added to where it is kept."""
        size = self.file.stat().st_size if self.file.is_file() else 0
        if not is_local(self._kept) and size > self._saved:
            upload(self.file, self._kept)
            self._saved = size
