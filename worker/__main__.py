"""`python -m worker` is `payload-worker`."""

from worker.cli import main

main()
