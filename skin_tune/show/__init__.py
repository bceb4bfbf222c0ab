"""What people see: progress while something runs, tables at its end."""
