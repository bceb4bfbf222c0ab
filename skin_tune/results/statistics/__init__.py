"""Statistics on the results store."""
