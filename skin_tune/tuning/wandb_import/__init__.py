"""Finished runs of wandb's files as trials of the store: `skin-tune import-wandb`."""
