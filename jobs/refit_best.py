"""Refit an experiment's champion: `refit_best.py EXPERIMENT ...`, with all flags of `skin-tune refit`."""

from skin_tune.cli import single_command
from skin_tune.cli_results import refit

if __name__ == "__main__":
    single_command(refit)
