"""Refit an experiment's champion: `refit_best.py EXPERIMENT ...`, with all flags of `skin-tune refit`."""

from skin_tune.cli.main import single_command
from skin_tune.cli.results_commands import refit

if __name__ == "__main__":
    single_command(refit)
