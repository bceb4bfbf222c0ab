"""JSON files that experiments leave beside the store, as they come back from whoever had them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from skin_tune.errors import StoreError
from skin_tune.storage.files import Location, is_regular
from skin_tune.storage.run_paths import one_name

_Note = TypeVar("_Note")

_SPEC: Mapping[str, Any] = {
    "pack": str,
    "pack_id": str,
    "seed": int,
    "trials": int,
    "metric": str,
    "warm_start": list,
    "space": dict,
    "counts": dict,
    "noted": dict,
    "target": int | float | None,
}
_FACTS: Mapping[str, Any] = {
    "model": str,
    "region": str,
    "experiment": str,
    "trial": str,
    "trained_on": str,
    "pack_id": str,
    "split": str,
    "epochs": int,
    "best_epoch": int,
    "workers": int,
    "trials": int,
    "test_openings": int,
    "seconds": int | float,
    "gpu_seconds": int | float,
    "metric": str,
    "metrics": dict,
    "classes": list,
    "members": list,
    "confusion": list,
    "config": dict,
    "intervals": dict,
    "calibration": dict,
    "groups": list,
    "gaps": list,
    "splits": list,
    "people": list,
    "quarantined": dict | None,
    "code_version": str,
    "libraries": str,
    "hardware": str,
}
_OF_A_CLASS = ("train_images", "test_images", "precision", "recall", "f1")


def read_note(file: Location) -> dict[str, Any]:
    """The JSON object in a file; an empty one where there is no such file, or something else in it."""
    if not is_regular(file):
        return {}
    try:
        content: Any = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def note_as(kind: type[_Note], file: Location, wrong: Callable[[Mapping[str, Any]], str]) -> _Note | None:
    """The dataclass `kind` from a note; None where an entry is missing, unknown, or `wrong`."""
    content = read_note(file)
    try:
        return None if wrong(content) else kind(**content)
    except TypeError:  # an entry is missing, or unknown
        return None


def wrong_spec(content: Mapping[str, Any]) -> str:
    """The entry of an `asked.json` that is not what it should be; empty if there is none."""
    if wrong := _wrong_kind(content, _SPEC):
        return wrong
    if not all(isinstance(name, str) for name in content.get("warm_start", ())):
        return "warm_start"
    counts = content.get("counts", {})
    whole = all(isinstance(of, dict) and all(map(_is_count, of.values())) for of in counts.values())
    if not whole or (counts and "train" not in counts):
        return "counts"
    return "" if _are_flags(content.get("noted", {})) else "noted"


def _are_flags(noted: Mapping[str, Any]) -> bool:
    """Whether what an experiment has noted of its command is plain: numbers, three flags of words, one on or off."""
    flags, overrides, defaults = (noted.get(name, {}) for name in ("flags", "overrides", "defaults"))
    if not all(isinstance(each, dict) for each in (flags, overrides, defaults)):
        return False
    siblings = flags.get("warm_start", [])
    words = [flags.get("wandb") or "", flags.get("until") or "", *(siblings if isinstance(siblings, list) else [None])]
    numbers = [value for name, value in flags.items() if name not in ("wandb", "until", "warm_start", "tensorboard")]
    plain = all(isinstance(value, str | int | float | None) for value in (*overrides.values(), *defaults.values()))
    plain = plain and isinstance(flags.get("tensorboard", False), bool)
    return plain and all(isinstance(word, str) for word in words) and all(map(_is_figure, numbers))


def wrong_facts(content: Mapping[str, Any]) -> str:
    """The entry of a refit's `metrics.json` that is not what it should be; empty if there is none."""
    if wrong := _wrong_kind(content, _FACTS):
        return wrong
    if not all(map(_is_figure, content.get("metrics", {}).values())):
        return "metrics"
    for row in content.get("classes", ()):
        known = isinstance(row, dict) and isinstance(row.get("class"), str)
        if not known or not all(name in row and _is_figure(row[name]) for name in _OF_A_CLASS):
            return "classes"
        if not all(_is_figure(value) for name, value in row.items() if name.endswith(("_low", "_high"))):
            return "classes"
    try:
        one_name(content.get("model", "none"))
    except StoreError:
        return "model"
    return ""


def _wrong_kind(content: Mapping[str, Any], kinds: Mapping[str, Any]) -> str:
    for name, kind in kinds.items():
        if name in content and (not isinstance(content[name], kind) or isinstance(content[name], bool)):
            return name
    return ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_figure(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63)
