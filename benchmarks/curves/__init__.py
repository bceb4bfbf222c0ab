"""Measured learning curves of a grid of configs on three data sets, and searches replayed on them."""
