"""Photos of an experiment whose grades its out-of-fold models contradict."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.results.statistics.doubtful_labels import doubtful_labels
from skin_tune.storage.files import Location
from skin_tune.tuning.experiment.lookup import StoredExperiment, find_experiment

SHOWN_PICTURES = 100


@dataclass(frozen=True)
class Audit:
    """Photos of an experiment by doubt."""

    known: StoredExperiment
    rows: pd.DataFrame
    """See `doubtful_labels`."""


def run_audit(storage: Location, experiment: str, region: str | None = None, pack: Location | None = None) -> Audit:
    """Judge the grades of an experiment's photos of train and validation, from the store alone.

    Raises ExperimentError or StoreError where there is no such experiment, or nobody has graded its photos out of fold.
    """
    known = find_experiment(storage, experiment, region, pack)
    return Audit(known, doubtful_labels(known.paths.storage, known.region, known.name))


def write_pictures(audit: Audit, out: Path, limit: int = SHOWN_PICTURES) -> int:
    """Write the crops of the first `limit` photos that are contradicted as one page; how many there are.

    Raises PackError where the pack is gone or another by now.
    """
    from skin_tune.results.report.doubtful_page import write_page

    rows = audit.rows[audit.rows["contradicted"]].head(limit)
    pack = audit.known.open_pack(audit.known.trials.iloc[0].to_dict())
    places: dict[str, list[int]] = {}
    for place, source in enumerate(pack.sources.tolist()):
        places.setdefault(source, []).append(place)
    if lost := set(rows["source"]) - set(places):
        raise StoreError(f"the pack has no photo {min(lost)!r}, which the predictions name")
    crops = (pack.images[places[source][crop]] for source, crop in zip(rows["source"], rows["crop"], strict=True))
    write_page(rows, crops, f"{audit.known.region}: grades in doubt, {audit.known.name}", out)
    return len(rows)
