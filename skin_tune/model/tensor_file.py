"""Files of tensors, as torch.save writes them, from whoever they come."""

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from skin_tune.storage.files import Location, is_local

_MOST_PLAIN_BYTES = 8_000_000
"""Of names and plain values, of which torch reads 0.2 MB a second. Ours take 0.2 MB, or 3.5 for each 100 epochs of a
thousand classes."""


def read_tensors(path: Location, *, old_format: bool = False) -> Any:
    """Read tensors and plain values of a regular file onto the CPU. No code of the file is run.

    `old_format` also takes files that torch wrote before version 1.6. Raises ValueError, in words that go on after the
    file's name, for anything else.
    """
    try:
        with path.open("rb") if is_local(path) else io.BytesIO(path.read_bytes()) as file:
            if not old_format or zipfile.is_zipfile(file):
                _check_archive(file)
            file.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's remarks on how others write files
                return torch.load(path if is_local(path) else file, map_location="cpu", weights_only=True)
    except _RefusedError as error:
        raise ValueError(str(error)) from None
    except pickle.UnpicklingError:
        raise ValueError("it holds Python objects, which could run code as they load, or is damaged") from None
    except Exception as error:  # a foreign file can fail to be read in many ways
        if isinstance(error, OSError) and error.errno is not None:
            raise ValueError(f"it cannot be read: {error.strerror}") from None
        raise ValueError("it is no file of tensors, or is damaged") from None


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, which can hold nothing else, onto the CPU.

    Raises ValueError, in words that go on after the file's name, for anything else, and where the library is missing.
    """
    try:
        import safetensors.torch
    except ImportError:
        raise ValueError("to read it, pip install 'skin-tune[timm]'") from None
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError):
        raise ValueError("it is no safetensors file, or is damaged") from None
    return tensors


class _RefusedError(ValueError):
    """It may be a file of tensors, and is not read."""


def _check_archive(file: BinaryIO) -> None:
    """Raise _RefusedError for no archive, one that unpacks to more than it is, and one of plain values without end."""
    if not zipfile.is_zipfile(file):
        file.seek(0)
        is_pickle = file.read(1) == pickle.PROTO
        raise _RefusedError(
            "it is a bare pickle, which could run code as it loads" if is_pickle else "it is no file of tensors"
        )
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise _RefusedError("it is compressed")
    plain = max((entry.file_size for entry in entries if entry.filename.endswith(".pkl")), default=0)
    if plain > _MOST_PLAIN_BYTES:
        raise _RefusedError(
            f"it has {plain / 1e6:.0f} MB of names and plain values, more than {_MOST_PLAIN_BYTES / 1e6:.0f}"
        )
