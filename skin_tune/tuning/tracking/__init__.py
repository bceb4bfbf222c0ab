"""Records of a run while it runs: the store, the progress line, wandb."""
