"""The results store and what is read from it."""

from skin_tune.results.store.tables import load_epochs, load_predictions, load_test_openings, load_trials

__all__ = ["load_epochs", "load_predictions", "load_test_openings", "load_trials"]
