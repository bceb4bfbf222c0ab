"""One label file of an AI-Hub tree (data set 71645), as found: neither box nor grades are checked here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skin_tune.data.sources.classes import is_missing
from skin_tune.data.sources.files import PHOTO_NAME, composed, is_special
from skin_tune.text.grades import number_of


@dataclass(frozen=True)
class Label:
    """Content of one label file; neither box nor grades have been checked."""

    facepart: int
    box: Any
    grades: dict[str, Any]
    photo: str
    """File name of the photo it is of."""
    subject: str
    person: Mapping[str, Any]
    """Age, gender and skin type, as far as they are known."""


class BadLabelError(Exception):
    """A label file that cannot be used; its two arguments are the reason and its detail."""


def read_label(label_file: Path) -> Label:
    """Read one label file. Raises BadLabelError for one that cannot be read or is no label."""
    name = PHOTO_NAME.fullmatch(label_file.stem)
    try:
        if is_special(label_file):
            raise BadLabelError("not a regular file", f"{label_file.name} is a pipe, a socket or a device")
        label = json.loads(label_file.read_bytes())
        facepart, box = int(label["images"]["facepart"]), label["images"]["bbox"]
        grades, info = dict(label.get("annotations") or {}), label.get("info") or {}
        photo = str(info.get("filename") or f"{label_file.stem.rpartition('_')[0]}.jpg")
        given = composed(str(info.get("id") or ""))
        subject = (name["subject"] if name else "") if is_missing(given) else given
    except OSError as error:
        raise BadLabelError("unreadable label file", error.strerror or str(error)) from None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadLabelError("bad JSON", f"{type(error).__name__}: {error}") from None
    return Label(facepart, box, grades, photo, subject, _person(info))


def _person(info: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: composed(str(info.get(name, ""))) for name in ("age", "gender", "skin_type")}
    known: dict[str, Any] = {name: word for name, word in words.items() if not is_missing(word)}
    if "age" in known:
        known["age"] = number_of(known["age"])
    return known
