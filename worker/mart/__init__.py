"""The data mart's HTTP and token client, for the worker's edges and for people."""
