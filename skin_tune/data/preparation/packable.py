"""Whether a region's rows make a pack worth training on, and in words why not."""

from collections import Counter
from collections.abc import Iterable, Sequence

from skin_tune.data.sources.manifest import LEFT_OUT, Manifest, Quarantined
from skin_tune.data.sources.request import PrepareRequest

_HINTS = {
    "grade below 0": "--classes=-1,0,1 takes grades below 0 as classes",
    "grade out of range": "--classes names other grades than the region's",
    "missing photo": "--images names the folder that the photos are in",
    "path leaves its root": "--images names the folder that the photos are in",
    "more than one photo": "give paths instead of names",
    "subject pattern does not match": "try the --subject-pattern on the paths",
    "box outside the photo": "a box is in pixels of the upright photo",
    "crop too small": "a box is in pixels of the upright photo",
}


def cannot_be_packed(manifest: Manifest, region: str, request: PrepareRequest) -> str:
    """Why no pack can come of a region's labels alone, before a photo is opened; empty if one can."""
    classes = manifest.classes[region]
    quarantined = [entry for entry in manifest.quarantined if entry.region in ("", region)]
    seen = Counter(row.label for row in manifest.rows if row.region == region)
    if not seen:
        return nothing_left(region, quarantined)
    everywhere = [entry for entry in quarantined if not entry.region]
    return (
        too_much_lost(region, quarantined, seen.total(), request)
        or too_much_lost(region, everywhere, manifest.read - len(everywhere), request, of_region=False)
        or too_few_classes(region, classes)
        or no_training_image(
            region, classes, [name for index, name in enumerate(classes) if not seen[index]], quarantined
        )
    )


def nothing_left(region: str, quarantined: Iterable[Quarantined]) -> str:
    """Why a region has not one row."""
    entries = list(quarantined)
    message = f"{region}: nothing is left to pack ({_reasons(entries) or 'no label of it was found'})"
    return f"{message}; {hint}" if (hint := _hint(entries)) else message


def too_much_lost(
    region: str, quarantined: Sequence[Quarantined], usable: int, request: PrepareRequest, *, of_region: bool = True
) -> str:
    """Why what is left is not what was meant: more than half of the rows cannot be used.

    Rows of every region count by themselves, with `of_region` false: which region they are of is not known.
    """
    lost = [entry for entry in quarantined if entry.reason != LEFT_OUT and bool(entry.region) == of_region]
    if request.allow_losses or len(lost) <= usable:
        return ""
    ways = [way for way in (_hint(lost), "--allow-losses packs the rest") if way]
    return f"{region}: {len(lost)} of {len(lost) + usable} rows cannot be used ({_reasons(lost)}); {'; '.join(ways)}"


def too_few_classes(region: str, classes: Sequence[str]) -> str:
    """Why there is nothing to tell apart."""
    if len(classes) > 1:
        return ""
    return f"{region}: there is one class alone ({', '.join(classes)}); a grader needs two or more"


def no_training_image(
    region: str, classes: Sequence[str], names: Sequence[str], quarantined: Iterable[Quarantined]
) -> str:
    """Why classes `names` cannot be learned, and the way out; empty if there are none."""
    if not names:
        return ""
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    message = f"{region}: class {listed} has no training image; every class of the region needs at least one"
    if reasons := _reasons(entry for entry in quarantined if entry.reason != LEFT_OUT):
        message += f" (refused: {reasons})"
    rest = [name for name in classes if name not in names]
    return f"{message}; --classes {','.join(rest)} leaves it out" if len(rest) > 1 else message


def _hint(quarantined: Sequence[Quarantined]) -> str:
    """A remedy for the most common reason."""
    common = Counter(entry.reason for entry in quarantined).most_common(1)
    return _HINTS.get(common[0][0], "") if common else ""


def _reasons(quarantined: Iterable[Quarantined]) -> str:
    """Each reason with its count and one example, on one line."""
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for entry in quarantined:
        counts[entry.reason] += 1
        detail = f": {' '.join(entry.detail.split())[:160]}" if entry.detail else ""
        examples.setdefault(entry.reason, f"{entry.source[:120]!r}{detail}")
    return ", ".join(f"{count} {reason}, such as {examples[reason]}" for reason, count in counts.most_common())
