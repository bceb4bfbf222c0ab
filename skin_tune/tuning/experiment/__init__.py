"""Experiments from request to ranked trials."""
