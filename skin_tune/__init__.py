"""Distributed tuning of ordinal skin graders on badly imbalanced grades.

What the commands do, Python does by the functions of `__all__`. Each is imported when it is first used: `import
skin_tune` itself loads neither numpy nor torch nor Ray.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skin_tune.api import prepare, report, result_grid, tune
    from skin_tune.data.pack.format import open_pack
    from skin_tune.inference.model_file import load_model
    from skin_tune.provenance import __version__
    from skin_tune.results import load_epochs, load_trials
    from skin_tune.results.statistics.compare import compare

__all__ = [
    "__version__",
    "compare",
    "load_epochs",
    "load_model",
    "load_trials",
    "open_pack",
    "prepare",
    "report",
    "result_grid",
    "tune",
]

_MODULES = {
    "__version__": "skin_tune.provenance",
    "prepare": "skin_tune.api",
    "tune": "skin_tune.api",
    "report": "skin_tune.api",
    "result_grid": "skin_tune.api",
    "open_pack": "skin_tune.data.pack.format",
    "load_model": "skin_tune.inference.model_file",
    "load_trials": "skin_tune.results",
    "load_epochs": "skin_tune.results",
    "compare": "skin_tune.results.statistics.compare",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    globals()[name] = found = getattr(import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
