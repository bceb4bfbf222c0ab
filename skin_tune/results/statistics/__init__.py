"""What can be concluded from the results store."""
