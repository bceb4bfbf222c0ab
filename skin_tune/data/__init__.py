"""Photos to packs, and packs to batches."""
