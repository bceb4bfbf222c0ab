"""What the file of a pack holds: its columns, the fields that describe it, and what they may be."""
