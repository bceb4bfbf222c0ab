"""A champion trained to its last epoch and tested once."""
