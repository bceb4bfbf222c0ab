"""Distributed tuning of ordinal skin graders on badly imbalanced grades."""

__version__ = "0.1.0"
