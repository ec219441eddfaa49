"""Quix Streams: an application whose topic is decoded by a `Deserializer`, and whose sink posts.

The sink is a `BaseSink` in the streaming manner that its documents describe: it posts while events come, in threads,
and confirms at `flush`, which comes before each commit of a checkpoint. (`BatchingSink` would hold all events of a
checkpoint back, and post them one batch after another.)
"""

# mypy: disable-error-code="import-not-found,misc"
from __future__ import annotations

import sys
import tempfile
from typing import Any, Final

from quixstreams import Application
from quixstreams.models import Deserializer
from quixstreams.sinks import BaseSink

from bench.peers.posts import Poster, Posts
from bench.peers.work import BATCH, CONSUMER, Work, encode

POLL_SECONDS: Final = 0.1
COMMIT_EVERY: Final = 40 * BATCH
"""Events of a checkpoint, about one a second: of whole batches, for its end posts what has come so far."""


class Bytes(Deserializer):
    """The value as it is: only the sink knows an event's place, which its id is derived from."""

    def __call__(self, value: bytes, _: Any = None, **__: Any) -> bytes:
        """The value."""
        return value


class Payloads(BaseSink):
    """Posts 500 records as soon as there are so many, and the rest at a checkpoint."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._posts: Posts[None] = Posts(Poster(work))
        self._records: list[dict[str, Any]] = []

    def add(  # noqa: PLR0917 - the library's
        self, value: bytes, key: Any, timestamp: int, headers: Any, topic: str, partition: int, offset: int
    ) -> None:
        """Take one event."""
        del key, headers
        self._records.append(self._work.record(value, topic, partition, offset, timestamp))
        if len(self._records) == BATCH:
            self._send()

    def flush(self) -> None:
        """Post what is left and wait until all was accepted."""
        if self._records:
            self._send()
        self._posts.done(leave=0)

    def _send(self) -> None:
        self._posts.send(encode(self._records), None)
        self._records = []


def main(bootstrap: str, topic: str, group: str, url: str, schema: str) -> None:
    """Post the topic's events until the process is ended."""
    with tempfile.TemporaryDirectory(prefix="payload-bench-") as state:
        app = Application(
            broker_address=bootstrap,
            consumer_group=group,
            auto_offset_reset="earliest",
            commit_every=COMMIT_EVERY,
            consumer_poll_timeout=POLL_SECONDS,
            consumer_extra_config=CONSUMER,
            auto_create_topics=False,
            use_changelog_topics=False,
            state_dir=state,
            loglevel="WARNING",
        )
        events = app.topic(topic, value_deserializer=Bytes(), key_deserializer="bytes")
        app.dataframe(events).sink(Payloads(Work(url, schema)))
        app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
