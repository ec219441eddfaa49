"""`payload-worker audit`: whether all that was produced has arrived, and what became of what has not."""
