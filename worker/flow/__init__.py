"""What is in flight, what is due, what may be committed: pure decisions that take `now` and do no I/O."""
