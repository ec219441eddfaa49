"""The data mart of a ring: the sandbox as another process, what its door has seen, and what its store holds."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from worker.sandbox.serve import RunningSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

STOP_SECONDS = 10
POST = "/scoring_payloads"
TOKEN = ("/identity/token", "/v1/preauth/validateAuth")


class Request(NamedTuple):
    """One request as it was seen at the door; times of the monotonic clock in seconds, None without an answer.

    `records`: how many it brought; `fresh`: how many of them no earlier request had brought.
    """

    method: str
    path: str
    arrived: float
    answered: float | None
    status: int | None
    records: int
    fresh: int

    @property
    def is_post(self) -> bool:
        """Whether it brought records."""
        return self.path.endswith(POST)

    @property
    def is_token(self) -> bool:
        """Whether it asked for a token."""
        return self.path in TOKEN


class Mart(RunningSandbox):
    """A sandbox with its notes and its store; `url` is for workers, `heal`, `fault` and others as in the tests.

    `delivery_url`, where it is set, is the address that workers are told instead: a proxy's.
    """

    def __init__(self, url: str, store: Path) -> None:
        super().__init__(url)
        self._store = store

    def requests(self) -> list[Request]:
        """All requests to the data mart and for tokens, in the order of their arrival."""
        return [Request(*each) for each in self._client.get("/chaos/requests").raise_for_status().json()]

    def posts(self) -> list[Request]:
        """The requests that brought records."""
        return [each for each in self.requests() if each.is_post]

    def arrivals(self, subscription_id: str, after: int) -> tuple[list[str], int]:
        """The ids that came first behind the first `after`, received or seen, and how many that makes."""
        found: list[str] = []
        following: int | None = after
        while following is not None:
            page = self._get("/sandbox/received", subscription_id=subscription_id, after=str(following))
            found += [scoring_id for scoring_id, _, _ in page["ids"]]
            following = page["next"]
        return found, after + len(found)

    def stored(self) -> set[str]:
        """The scoring ids of all records in the store, read from its file and not asked of the sandbox."""
        with closing(sqlite3.connect(f"file:{self._store}?mode=ro", uri=True)) as database:
            return {scoring_id for (scoring_id,) in database.execute("SELECT scoring_id FROM records")}


@contextmanager
def mart(*options: str) -> Iterator[Mart]:
    """A sandbox of its own process, empty, with options of `chaos.endpoint`; it ends with the context."""
    with ExitStack() as stack:
        store = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payload-chaos-"))) / "store.sqlite"
        command = [sys.executable, "-m", "chaos.endpoint", "--store", str(store), *options]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(_end, process)
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url:
            raise RuntimeError("the sandbox did not start")
        yield stack.enter_context(Mart(url, store))


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.communicate(timeout=STOP_SECONDS)  # closes its input, and it ends by itself
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
