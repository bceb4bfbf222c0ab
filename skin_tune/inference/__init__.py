"""Trained models: read from a file, evaluated, applied to photos, exported."""
