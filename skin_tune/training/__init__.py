"""The one loop, its metrics and its checkpoints."""
