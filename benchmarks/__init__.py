"""What measures speed: ratios in one run against what a user would write otherwise."""
