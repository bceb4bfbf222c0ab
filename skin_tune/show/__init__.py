"""Output for people: progress while something runs, tables at its end."""
