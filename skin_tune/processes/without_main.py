"""Processes that do not run the program's own script a second time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without_main() -> Iterator[None]:
    """Let `multiprocessing` start processes within that do not import the main module, which they need nothing of.

    Otherwise a script that calls us would need ``if __name__ == "__main__"``: each new process would begin it anew.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
