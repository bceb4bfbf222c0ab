"""Three packs that are small, imbalanced and unlike each other."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.opponents.digits import write_digits
from benchmarks.opponents.packs import split_anew
from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.data.synthetic.dataset import draw_sample

_SIZE, _SUBJECTS = 36, 100


def pack_of(name: str, folder: Path, ham10000: Path | None = None) -> Pack:
    """One of DATA_SETS, made in `folder` where it is not there yet; `ham10000` is the CSV of that data set."""
    path = folder / f"{name}.arrow"
    return open_pack(path) if path.exists() else split_anew(_PACKS[name](folder, ham10000), path, seed=0)


def _ham10000(folder: Path, table: Path | None) -> Pack:
    """A tenth of the lesions of HAM10000: seven nominal classes."""
    assert table is not None, "its CSV is needed"
    request = PrepareRequest([table], "photos", size=_SIZE, out=folder, subject_column="group", nominal=True)
    whole = open_pack(prepare(request)[0].path)
    return split_anew(whole, folder / "tenth.arrow", seed=0, fraction=0.1)


def _digits(folder: Path, table: Path | None) -> Pack:
    """scikit-learn's digits: ten nominal classes, 170 down to 10 images."""
    del table
    write_digits(folder / "digits", largest=170, smallest=10)
    return open_pack(
        prepare(PrepareRequest([folder / "digits"], "digit", size=_SIZE, out=folder, nominal=True))[0].path
    )


def _faces(folder: Path, table: Path | None, *, region: str) -> Pack:
    """A region of artificial faces: ordinal grades as frequent as in AI-Hub's release."""
    del table
    draw_sample(folder / "photos", subjects=_SUBJECTS, seed=0)
    return open_pack(prepare(PrepareRequest([folder / "photos"], region, size=_SIZE, out=folder))[0].path)


_PACKS: dict[str, Callable[[Path, Path | None], Pack]] = {
    "ham10000": _ham10000,
    "digits": _digits,
    "faces": partial(_faces, region="forehead_wrinkle"),
}
DATA_SETS = tuple(_PACKS)
