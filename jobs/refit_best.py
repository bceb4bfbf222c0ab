"""Refit an experiment's champion: `refit_best.py EXPERIMENT ...`, with all flags of `skin-tune refit`."""

from skin_tune.cli import refit, single_command

if __name__ == "__main__":
    single_command(refit)
