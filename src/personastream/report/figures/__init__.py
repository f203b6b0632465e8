"""What is told of a run: pure functions from counts and sampled records to plain data."""
