"""Which regions are graded on one crop, so that their packs can share it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from skin_tune.data.sources.manifest import Box, Row

Crop = tuple[Path, Box | None, bool, bool]


def crop_of(row: Row) -> Crop:
    """What is cut for a row: rows of which it is equal have the same pixels."""
    return row.photo, row.box, row.relative_box, row.mirrored


def sharing_regions(rows: Iterable[Row], regions: Sequence[str]) -> list[list[str]]:
    """`regions` in groups, all in their order: those that share a crop, or each with a third, are together."""
    graded_on: defaultdict[Crop, set[str]] = defaultdict(set)
    for row in rows:
        graded_on[crop_of(row)].add(row.region)
    groups = [{region} for region in regions]
    for together in {frozenset(names) for names in graded_on.values()}:
        joined = [group for group in groups if group & together]
        groups = [group for group in groups if not group & together] + [set().union(*joined)]
    in_order = (sorted(group, key=regions.index) for group in groups)
    return sorted(in_order, key=lambda group: regions.index(group[0]))
