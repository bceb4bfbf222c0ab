"""Which configs are tried, in what order, and which are stopped early."""
