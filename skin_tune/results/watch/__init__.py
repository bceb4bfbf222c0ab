"""Pages that follow runs while they write to the store; nothing here writes to it."""
