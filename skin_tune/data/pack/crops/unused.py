"""Files of crops that no pack has any more."""

from collections.abc import Collection, Iterable
from contextlib import suppress

from skin_tune.data.pack.layout.claims import read_info
from skin_tune.errors import PackError
from skin_tune.storage.files import Location, is_regular, sorted_glob


def unused_crops(folder: Location, replaced: Collection[Location], written: Collection[str]) -> list[str]:
    """Names of the files of crops in `folder` that only packs at the paths `replaced` have now.

    Those of the names `written` are new, and in use. Other packs are files ``*.arrow`` of the same folder; where one of
    them cannot be read, nothing is taken for unused.
    """
    try:
        before = _named_by(replaced) - {*written}
        if not before:
            return []
        return sorted(before - _named_by(path for path in sorted_glob(folder, "*.arrow") if path not in replaced))
    except OSError:
        return []


def _named_by(packs: Iterable[Location]) -> set[str]:
    names = set()
    for path in packs:
        with suppress(PackError):
            if is_regular(path) and (crops := read_info(path).crops):
                names.add(crops.file)
    return names
