"""Child processes, and signals that end a command."""
