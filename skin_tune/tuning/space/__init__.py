"""Search spaces: wandb sweep files, and how a value of each parameter is drawn."""
