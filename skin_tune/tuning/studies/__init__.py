"""Studies of finished trials: confirmation with new seeds, ablation, evaluation."""
