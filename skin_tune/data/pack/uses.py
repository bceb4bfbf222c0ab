"""Which experiments were run on a pack: each leaves a note beside it, so that it is not overwritten unawares."""

import hashlib
import json
from contextlib import suppress

from skin_tune.data.pack.format import Pack
from skin_tune.data.pack.layout.claims import read_pack_id
from skin_tune.errors import PackError, SkinTuneError, SourceError
from skin_tune.storage.files import Location, atomic_write, is_local, is_regular, location, sorted_glob
from skin_tune.storage.run_paths import RunPaths, pack_uses


def note_use(pack: Pack, paths: RunPaths, experiment: str) -> None:
    """Note that an experiment runs on `pack`; where the folder of packs cannot be written nothing is noted."""
    note = {"experiment": experiment, "storage": _absolute(paths), "pack_id": pack.info.pack_id}
    with suppress(OSError), atomic_write(_note_of(pack, paths, experiment)) as temporary:
        temporary.write_text(json.dumps(note))


def forget_use(pack: Pack, paths: RunPaths, experiment: str) -> None:
    """Remove the note of an experiment that did not start after all."""
    with suppress(OSError):
        _note_of(pack, paths, experiment).unlink(missing_ok=True)


def _note_of(pack: Pack, paths: RunPaths, experiment: str) -> Location:
    """Experiments of one name in different storages have a note each."""
    storage = hashlib.blake2b(_absolute(paths).encode(), digest_size=4).hexdigest()
    return pack_uses(pack.path) / f"{experiment}-{storage}.json"


def _absolute(paths: RunPaths) -> str:
    return str(paths.storage.resolve() if is_local(paths.storage) else paths.storage)


def uses_of(path: Location, region: str, pack_id: str) -> list[str]:
    """The experiments that noted their run on the pack `pack_id` at `path`, such as ``sample (in /lab/runs)``.

    One that was removed from its storage since does not count.
    """
    found = []
    for file in sorted_glob(pack_uses(path), "*.json"):
        # A note that somebody has edited.
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, SkinTuneError):
            note = json.loads(file.read_text() if is_regular(file) else "")
            storage = location(note["storage"])
            removed = storage.exists() and not RunPaths(storage).experiment(region, note["experiment"]).exists()
            user = f"{note['experiment']} (in {note['storage']})"
            if note["pack_id"] == pack_id and not removed and user not in found:  # older versions named notes otherwise
                found.append(user)
    return found


def check_replaceable(path: Location, region: str, pack_id: str, *, replace: bool) -> None:
    """Raise SourceError where another pack than `pack_id` lies at `path` and experiments were run on it.

    With `replace` it may be overwritten all the same.
    """
    if replace or not path.is_file():
        return
    try:
        there = read_pack_id(path)
    except PackError:
        return
    users = uses_of(path, region, there)
    if there != pack_id and users:
        raise SourceError(
            f"pack {str(path)!r} would change, and experiments were run on it: {', '.join(users[:5])}"
            f"{f' and {len(users) - 5} more' if len(users) > 5 else ''}; give another --out, or --replace"
        )
