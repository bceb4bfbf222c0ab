"""One trial, epoch by epoch. No Ray here."""
