"""Drawn faces with known grades, to try the platform without photos."""
