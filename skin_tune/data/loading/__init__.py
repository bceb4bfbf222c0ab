"""Packs to batches."""
