"""What is asked of finished trials: confirmation with new seeds, ablations, evaluation."""
