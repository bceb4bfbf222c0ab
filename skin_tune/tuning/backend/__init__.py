"""Trials on a Ray cluster: how it is joined, what a trial gets of it, and what runs there."""
