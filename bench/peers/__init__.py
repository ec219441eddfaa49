"""The peers: for each library that one would take instead, the program that a good engineer writes with it.

All do the same work (`work`) at least once: a batch is committed after it was posted. Each is the one process that its
library's documents describe, with the settings and the concurrency that they offer and that were found to help; what
was chosen, and why, is told in each. None has dead letters, retries, validation, or a directory that is refreshed.

`python -m bench.peers.<name> BOOTSTRAP TOPIC GROUP URL SCHEMA`, in an environment of its own (`bench.environments`),
which is why nothing here imports the worker. Each runs until it is ended.
"""
