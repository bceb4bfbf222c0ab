"""The report: one HTML file on the trials of a store, for people."""

from pathlib import Path

from skin_tune.errors import StoreError
from skin_tune.results.store.schema import now
from skin_tune.storage.files import Location, atomic_write, cannot_write


def write_report(
    storage: str | Location,
    out: Path,
    *,
    region: str | None = None,
    experiment: str | None = None,
    price: float | None = None,
) -> int:
    """Write the report of a store, or of one region or experiment of it, to `out`; how many bytes it has.

    `price` is that of a GPU-hour. Raises StoreError where there is no such trial, or `out` cannot be written.
    """
    from skin_tune.results.report.page import page  # with scipy, which takes a second
    from skin_tune.results.report.section import sections

    check_price(price)
    content = page(sections(storage, region, experiment), str(storage), f"{now():%Y-%m-%d %H:%M} UTC", price).encode()
    try:
        with atomic_write(out) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise cannot_write(out, error) from None
    return len(content)


def check_price(price: float | None) -> None:
    """Raise StoreError for a price of a GPU-hour that is none."""
    if price is not None and not price >= 0:
        raise StoreError(f"--price-per-gpu-hour {price} is below 0")
