"""The results store and what is read from it."""

from skin_tune.results.store import load_epochs, load_trials

__all__ = ["load_epochs", "load_trials"]
