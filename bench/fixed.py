"""The worker with a fixed number of posts in flight, to hold the adaptive one against: `python -m bench.fixed`.

It is `payload-worker run` with a limiter that learns nothing; the number is the setting `delivery.in_flight`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from worker.cli import main
from worker.flow import posting
from worker.flow.concurrency import Limiter

if TYPE_CHECKING:
    from worker.flow.concurrency import Load


class Still(Limiter):
    """Allows its budget from the start, and always."""

    def __init__(self, budget: int) -> None:
        super().__init__(budget)
        self.limit = budget

    def settle(self, found: Load, *, started: float, size: int, in_flight: int, now: float) -> None:
        """Learn nothing."""


if __name__ == "__main__":
    vars(posting)["Limiter"] = Still  # the worker has no setting for it, and needs none
    sys.argv[1:] = ["run"]
    main()
