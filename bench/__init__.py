"""The benchmark: the worker beside what one would write instead, on the same work in the same run."""
