"""What a file says of itself, whether or not it holds that: a few kilobytes are read."""

import os
from typing import Any

import pyarrow as pa

from skin_tune.data.pack.layout.fields import told_as_no_pack
from skin_tune.data.pack.layout.info import PackInfo, info_of
from skin_tune.errors import PackError
from skin_tune.storage.files import Location, is_local, is_regular


def read_pack_id(path: Location) -> str:
    """The `pack_id` that a file claims to have. Raises PackError where it is no pack."""
    return read_info(path).pack_id


def read_info(path: Location) -> PackInfo:
    """What a pack says of itself. Raises PackError where it is no pack."""
    if is_local(path):
        schema = _schema_of(path)
    else:
        from skin_tune.storage.bucket import steady  # a third of a second that only buckets need

        schema = steady(lambda: _schema_of(path))
    with told_as_no_pack(str(path)):
        return info_of(schema)


def _schema_of(path: Location) -> Any:
    with path.open("rb") as file:
        try:
            return pa.ipc.open_file(pa.PythonFile(file)).schema
        except Exception as error:  # a foreign file can fail to be read in many ways
            if isinstance(error, OSError) and error.errno is not None:  # as a bucket's, which may be asked again
                raise
            raise PackError(f"{str(path)!r} is not a pack; make one with skin-tune prepare") from None


def check_regular(path: Location) -> None:
    """Raise PackError where there is no file at `path`, or a folder, a pipe or a device, which can hang a reader."""
    if is_regular(path):
        return
    if is_local(path) and os.path.lexists(path):
        raise PackError(f"pack {str(path)!r} is not a regular file")
    raise PackError(f"pack {str(path)!r} does not exist; make one with skin-tune prepare")
