"""Sources to packs, and photos to what a model of a pack expects."""
